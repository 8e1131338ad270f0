import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { vaultPins } from '../../src/agent/index.ts'
import { didFromKey } from '../../src/did/index.ts'
import { type FileVault, openFileVault } from '../../src/vault-node/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-names-'))
const KEY = { key: new Uint8Array(32).fill(7) }
let count = 0
let file = ''
let vault: FileVault
beforeEach(async () => {
  file = join(folder, `${count++}.vault`)
  vault = await openFileVault(file, KEY)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const reopened = () => openFileVault(file, KEY)

test('an identity takes a name, and keeps its key', async () => {
  const before = await vault.identity('EdDSA')
  await vault.become('did:ath:shop_001')
  const { did, signer } = await (await reopened()).identity()
  expect(did).toBe('did:ath:shop_001')
  expect(signer.publicKey.thumbprint).toBe(before.signer.publicKey.thumbprint)
})

test('a key that is kept for later is made once, whoever asks, and takes the identity’s place in one step', async () => {
  const before = await vault.identity()
  const made = await Promise.all([
    vault.key('next'),
    vault.key('next'),
    (await reopened()).key('next', 'EdDSA'),
  ])
  const kids = new Set(made.map(({ publicKey }) => publicKey.thumbprint))
  expect(kids.size).toBe(1)
  await vault.become('did:ath:shop_001', 'next')
  const { did, signer } = await (await reopened()).identity()
  expect([did, signer.publicKey.thumbprint]).toEqual(['did:ath:shop_001', [...kids][0]])
  expect(signer.publicKey.thumbprint).not.toBe(before.signer.publicKey.thumbprint)
  expect(await vault.keys()).toEqual(new Map())
  const { publicKey } = await vault.key('next')
  expect([...kids]).not.toContain(publicKey.thumbprint)
})

test('a key signs after it was named anew, and is gone when it is forgotten', async () => {
  const made = await vault.key('added')
  await vault.rename('added', made.publicKey.thumbprint)
  const [[name, signer] = []] = [...(await (await reopened()).keys())]
  expect(name).toBe(made.publicKey.thumbprint)
  expect(didFromKey(signer?.publicKey as never)).toBe(didFromKey(made.publicKey))
  expect(await signer?.sign(new Uint8Array([1]))).toHaveLength(64)
  await vault.rename(made.publicKey.thumbprint, undefined)
  expect(await vault.keys()).toEqual(new Map())
  await expect(vault.become('did:ath:shop_001', 'nobody’s')).rejects.toThrow(TypeError)
  await expect(vault.rename('nobody’s', undefined)).rejects.toThrow('no key nobody’s')
  expect(readFileSync(file, 'utf8')).not.toContain(made.publicKey.thumbprint)
})

test('what was seen of a history is still known in the next run; of two that move a pin, one does', async () => {
  const to = { seq: 1, head: 'b' }
  const others = [vaultPins(vault), vaultPins(await reopened())]
  expect(await others[0]?.get('did:ath:x')).toBeUndefined()
  expect(await others[0]?.advance('did:ath:x', undefined, { seq: 0, head: 'a' })).toBe(true)
  const moved = await Promise.all(others.map((pins) => pins.advance('did:ath:x', { seq: 0, head: 'a' }, to)))
  expect(moved.sort()).toEqual([false, true])
  expect(await vaultPins(await reopened()).get('did:ath:x')).toEqual(to)
})
