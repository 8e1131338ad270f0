import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { decodeContents } from '../../src/vault-node/contents.ts'
import { openVault } from '../../src/vault-node/format.ts'
import { openFileVault } from '../../src/vault-node/index.ts'
import { shopOnSocket } from '../e2e/on-socket.ts'

const KEY = { key: new Uint8Array(32).fill(1) }
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

function folderOf(): string {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-dump-'))
  stops.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function run(options: object): Promise<string> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'heap-dump.mjs'), JSON.stringify(options)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  stops.push(() => void child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk
  })
  return new Promise((resolve) => child.on('close', () => resolve(said)))
}

/** How bytes would look in a string: as hexadecimal or a list of numbers, and in base64 wherever they begin in it. */
function looksOf(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes)
  const base64 = [0, 1, 2].flatMap((from) => {
    const text = buffer.subarray(from, from + 24).toString('base64')
    return [text, text.replaceAll('+', '-').replaceAll('/', '_')]
  })
  return [...base64, buffer.toString('hex'), [...buffer.subarray(0, 12)].join(',')]
}

async function contentsOf(file: string) {
  return decodeContents((await openVault(readFileSync(file, 'utf8'), KEY)).plaintext)
}

test('no private key, share or session key is in any string of a heap dump', async () => {
  const folder = folderOf()
  const [file, dump] = [join(folder, 'agent.vault'), join(folder, 'agent.heapsnapshot')]
  const skip = { description: 'x', skipUserConfirmation: true }
  const shop = await shopOnSocket({ service: { scopes: { 'goods:read': skip, 'order:create': 'x' } } })
  stops.push(shop.stop)
  const did = await run({ file })
  const authorization = await shop.authorize({ clientDid: did })
  await run({ file, dump, origin: shop.origin, authorization, serverDid: shop.server.did })

  const { key, entries } = await contentsOf(file)
  const [session] = [...(entries.get('session')?.values() ?? [])] as [
    { token: string; keys: { epoch: number; c2s: Uint8Array; s2c: Uint8Array; rekey: Uint8Array } },
  ]
  const [waiting] = [...(entries.get('handshake')?.values() ?? [])] as [{ scalar: Uint8Array }]
  expect(session.keys.epoch).toBe(1)
  // The scalar of a P-256 key stands behind 36 bytes of its PKCS#8.
  const secrets = [
    key?.subarray(36, 68),
    waiting.scalar,
    session.keys.c2s,
    session.keys.s2c,
    session.keys.rekey,
  ]
  const text = readFileSync(dump, 'latin1')
  // What is a string anyway is found: the search works.
  expect(text).toContain(session.token.slice(0, 60))
  for (const secret of secrets) {
    expect(secret?.length).toBe(32)
    for (const look of looksOf(secret as Uint8Array)) expect(text.includes(look)).toBe(false)
  }
}, 60_000)

test('nor in what is logged of an identity or a vault, nor in an error', async () => {
  const file = join(folderOf(), 'agent.vault')
  const vault = await openFileVault(file, KEY)
  const identity = await vault.identity()
  const { key } = await contentsOf(file)
  const failed = await openFileVault(file, { key: new Uint8Array(32).fill(2) }).catch(
    (error: unknown) => error,
  )
  const logged = [identity, identity.signer, vault, failed].flatMap((value) => [
    inspect(value, { depth: 10, showHidden: true }),
    JSON.stringify(value) ?? '',
  ])
  for (const look of looksOf(key?.subarray(36, 68) as Uint8Array))
    for (const text of logged) expect(text).not.toContain(look)
})
