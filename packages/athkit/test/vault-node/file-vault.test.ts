import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { toBase64url, utf8 } from '../../src/crypto/bytes.ts'
import { verifyText } from '../../src/crypto/index.ts'
import { AthError } from '../../src/errors.ts'
import { openFileVault, secretFromEnvironment, secretFromKeychain } from '../../src/vault-node/index.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-vault-'))
  folders.push(folder)
  return join(folder, 'agent.vault')
}

const KEY = { key: new Uint8Array(32).fill(1) }
const trouble = (work: Promise<unknown>) =>
  work.then(
    () => 'opened',
    (error: unknown) => (error instanceof AthError ? error.trouble : `another error: ${String(error)}`),
  )

describe('a file vault', () => {
  test('keeps an identity, made once, and entries by kind and name', async () => {
    const file = newFile()
    const vault = await openFileVault(file, KEY)
    const made = await vault.identity()
    await vault.update('credential', 'a', () => ({ any: ['json', 1, null] }))
    await vault.update('credential', 'b', () => 'text')
    await vault.update('server', 'a', () => 'did:ath:x')
    await vault.update('credential', 'b', (before) => (before === 'text' ? undefined : 'kept'))

    const again = await openFileVault(file, KEY)
    expect(await again.identity('EdDSA')).toMatchObject({ did: made.did })
    expect([...(await again.entries('credential'))]).toEqual([['a', { any: ['json', 1, null] }]])
    expect([...(await again.entries('server'))]).toEqual([['a', 'did:ath:x']])
    expect([...(await again.entries('session'))]).toEqual([])
    const signature = toBase64url(await made.signer.sign(utf8('text')))
    await verifyText((await again.identity()).signer.publicKey, 'text', signature)
  })

  test('gives bytes back as bytes, and strings as they were, whatever they look like', async () => {
    const file = newFile()
    const value = {
      secret: new Uint8Array([0, 1, 254, 255]),
      more: [Buffer.from('key'), new Uint8Array(), { deep: new Uint8Array(70_000).fill(7) }],
      text: ['\u0000bytes:0:4', '\u0000text:', '\u0000', 'bytes:0:4', ''],
    }
    await (await openFileVault(file, KEY)).update('session', '\u0000bytes:0:4', () => value)
    const [[name, found] = []] = [...(await (await openFileVault(file, KEY)).entries('session'))]
    expect(name).toBe('\u0000bytes:0:4')
    expect(found).toEqual({ ...value, more: [new Uint8Array(Buffer.from('key')), ...value.more.slice(1)] })
  })

  test('an identity may be Ed25519', async () => {
    const { signer } = await (await openFileVault(newFile(), KEY)).identity('EdDSA')
    expect(signer.publicKey.alg).toBe('EdDSA')
  })

  test('is for its owner alone, and nothing in it can be read', async () => {
    const file = newFile()
    const vault = await openFileVault(file, KEY)
    await vault.identity()
    await vault.update('credential', 'name-of-a-credential', () => 'secret-of-the-user')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).not.toMatch(/name-of-a-credential|secret-of-the-user|PRIVATE/)
  })

  test('a passphrase opens it, another is told at once, and apart from damage', async () => {
    const file = newFile()
    const vault = await openFileVault(file, { passphrase: 'correct horse' })
    await vault.update('server', 'a', () => 'b')
    const { kdf } = JSON.parse(readFileSync(file, 'utf8'))
    expect(kdf).toMatchObject({ name: 'scrypt', n: 131_072, r: 8, p: 1 })
    expect(await trouble(openFileVault(file, { passphrase: utf8('correct horse') }))).toBe('opened')
    expect(await trouble(openFileVault(file, { passphrase: 'wrong horse' }))).toBe('vault_locked')
    expect(await trouble(openFileVault(file, KEY))).toBe('vault_locked')
    await expect(openFileVault(file, { passphrase: '' })).rejects.toThrow(TypeError)
  })

  test('a key opens it, and no other', async () => {
    const file = newFile()
    await (await openFileVault(file, KEY)).update('server', 'a', () => 'b')
    expect(await trouble(openFileVault(file, { key: new Uint8Array(32).fill(2) }))).toBe('vault_locked')
    expect(await trouble(openFileVault(file, { passphrase: 'x' }))).toBe('vault_locked')
    await expect(openFileVault(newFile(), { key: new Uint8Array(31) })).rejects.toThrow(TypeError)
  })

  test('any changed or missing byte is damage', async () => {
    const file = newFile()
    await (await openFileVault(file, KEY)).update('server', 'a', () => 'b')
    const good = readFileSync(file)
    for (let at = 0; at < good.length - 1; at++) {
      const altered = Buffer.from(good)
      altered[at] = (altered[at] as number) ^ 1
      writeFileSync(file, altered)
      expect(await trouble(openFileVault(file, KEY)), `byte ${at}`).toBe('vault_damaged')
      writeFileSync(file, good.subarray(0, at))
      expect(await trouble(openFileVault(file, KEY)), `cut at ${at}`).toBe('vault_damaged')
    }
  })

  test('somebody who makes the digest fit again is still found out', async () => {
    const { createHash } = await import('node:crypto')
    const file = newFile()
    await (await openFileVault(file, KEY)).update('server', 'a', () => 'b')
    const written = JSON.parse(readFileSync(file, 'utf8'))
    const forge = (more: object) => {
      const { digest: _, ...members } = { ...written, ...more }
      const digest = createHash('sha256').update(JSON.stringify(members)).digest('base64url')
      writeFileSync(file, JSON.stringify({ ...members, digest }))
      return trouble(openFileVault(file, KEY))
    }
    expect(await forge({})).toBe('opened')
    expect(await forge({ nonce: 'AAAAAAAAAAAAAAAA' })).toBe('vault_damaged')
    expect(await forge({ sealed: `AAAA${written.sealed.slice(4)}` })).toBe('vault_damaged')
    expect(await forge({ sealed: '' })).toBe('vault_damaged')
    expect(await forge({ verifier: `AAAA${written.verifier.slice(4)}` })).toBe('vault_locked')
    expect(await forge({ ath_vault: 2 })).toBe('vault_damaged')
    // Nobody can make guessing cheap.
    expect(await forge({ kdf: { name: 'scrypt', n: 1024, r: 8, p: 1, salt: 'AAAA' } })).toBe('vault_damaged')
    expect(await forge({ kdf: { name: 'scrypt', n: 2 ** 30, r: 8, p: 1, salt: 'AAAA' } })).toBe(
      'vault_damaged',
    )
  })

  test('what is written at once by several is all there', async () => {
    const file = newFile()
    const vaults = await Promise.all([1, 2, 3].map(() => openFileVault(file, KEY)))
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        vaults[i % 3]?.update('session', 'counter', (before) =>
          typeof before === 'number' ? before + 1 : 1,
        ),
      ),
    )
    expect((await vaults[0]?.entries('session'))?.get('counter')).toBe(30)
    const dids = await Promise.all(vaults.map(async (vault) => (await vault.identity()).did))
    expect(new Set(dids).size).toBe(1)
  })

  test('a lock that a dead process left is taken away', async () => {
    const file = newFile()
    writeFileSync(`${file}.lock`, '999999999 left')
    const vault = await openFileVault(file, KEY)
    await vault.update('server', 'a', () => 'b')
    expect((await vault.entries('server')).get('a')).toBe('b')
  })

  test('a lock names its owner from its first moment on: killed at any, it is known to be dead', async () => {
    const file = newFile()
    const vault = await openFileVault(file, KEY)
    // Another process looks all the time: the moment is short.
    const watch = `const { readFileSync } = require('node:fs'); const seen = new Set(); const until = Date.now() + 1000
      while (Date.now() < until) try { seen.add(readFileSync(process.argv[1], 'utf8').split(' ')[0]) } catch {}
      console.log(JSON.stringify([...seen]))`
    const watching = promisify(execFile)(process.execPath, ['-e', watch, `${file}.lock`])
    let watched = false
    void watching.finally(() => {
      watched = true
    })
    while (!watched) await vault.update('session', 'a', () => 'b')
    expect(JSON.parse((await watching).stdout)).toEqual([String(process.pid)])
  })

  test('a change that throws changes nothing, and lets the next one in', async () => {
    const vault = await openFileVault(newFile(), KEY)
    await vault.update('server', 'a', () => 'b')
    await expect(
      vault.update('server', 'a', () => {
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await vault.update('server', 'c', () => 'd')
    expect([...(await vault.entries('server'))]).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
  })
})

describe('secrets for a vault', () => {
  const key = Buffer.alloc(32, 3).toString('base64url')

  test('out of the environment, where they do not stay', () => {
    const environment: Record<string, string | undefined> = {
      ATH_VAULT_KEY: key,
      ATH_PASSPHRASE: 'x',
      HOME: '/',
    }
    expect(secretFromEnvironment(environment)).toEqual({ key: Buffer.alloc(32, 3) })
    expect(environment).toEqual({ HOME: '/' })
    expect(secretFromEnvironment({ ATH_PASSPHRASE: 'x' })).toEqual({ passphrase: 'x' })
    expect(secretFromEnvironment({ ATH_PASSPHRASE: '' })).toBeUndefined()
    expect(() => secretFromEnvironment({ ATH_VAULT_KEY: 'short' })).toThrow(TypeError)
    expect(() => secretFromEnvironment({ ATH_VAULT_KEY: `${key}=` })).toThrow(TypeError)
  })

  test('out of a keychain, made there the first time', () => {
    let kept: string | null = null
    const entry = {
      getPassword: () => kept,
      setPassword: (password: string) => {
        kept = password
      },
    }
    const first = secretFromKeychain(entry)
    expect(secretFromKeychain(entry)).toEqual(first)
    expect(() => secretFromKeychain({ getPassword: () => 'mine', setPassword: () => undefined })).toThrow(
      TypeError,
    )
    expect(() => secretFromKeychain({ getPassword: () => null, setPassword: () => undefined })).toThrow(
      AthError,
    )
  })
})
