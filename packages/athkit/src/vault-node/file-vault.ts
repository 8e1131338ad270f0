import { readFile } from 'node:fs/promises'
import type { Kept, Vault, VaultKind } from '../agent/vault.ts'
import type { SignatureAlgorithm } from '../crypto/algorithms.ts'
import { didFromKey } from '../did/did.ts'
import type { Identity } from '../handshake/index.ts'
import { replaceFile } from './atomic.ts'
import { type Contents, decodeContents, EMPTY, encodeContents } from './contents.ts'
import { newKeys, openVault, sealVault, type VaultKeys, type VaultSecret } from './format.ts'
import { locked } from './lock.ts'
import { generateKey, signerFromDer } from './signer.ts'

/**
 * A vault in one encrypted file, made with the first thing that is put into it. Several processes may share it. A crash, at any byte,
 * leaves it as it was or as it was to be.
 *
 * @throws AthError `vault_locked` for another passphrase or key, `vault_damaged` for a file that is damaged or was tampered with
 * @throws TypeError for an empty passphrase, or a key that is not of 32 bytes
 */
export async function openFileVault(file: string, secret: VaultSecret): Promise<Vault> {
  let keys: VaultKeys | undefined

  async function read(): Promise<Contents> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return EMPTY
    const opened = await openVault(text, secret, keys)
    keys = opened.keys
    const contents = decodeContents(opened.plaintext)
    opened.plaintext.fill(0)
    return contents
  }

  const change = (next: (before: Contents) => Contents): Promise<Contents> =>
    locked(file, async () => {
      const before = await read()
      const after = next(before)
      if (after === before) return after
      keys ??= await newKeys(secret)
      const plaintext = encodeContents(after)
      await replaceFile(file, sealVault(keys, plaintext))
      plaintext.fill(0)
      return after
    })

  async function identity(alg: SignatureAlgorithm = 'ES256'): Promise<Identity> {
    const { key = undefined } = await read()
    const der =
      key ?? (await change((before) => (before.key ? before : { ...before, key: generateKey(alg) }))).key
    if (der === undefined) throw new Error('no key was made')
    const signer = await signerFromDer(der)
    return { did: didFromKey(signer.publicKey), signer }
  }

  // A wrong passphrase is told at once, and not when the vault is first used.
  if ((await read()) === EMPTY) keys = await newKeys(secret)
  return {
    identity,
    entries: async (kind) => (await read()).entries.get(kind) ?? new Map(),
    async update(kind, name, to) {
      await change((before) => ({ ...before, entries: updated(before.entries, kind, name, to) }))
    },
  }
}

function updated(
  entries: Contents['entries'],
  kind: VaultKind,
  name: string,
  to: (before: Kept | undefined) => Kept | undefined,
): Contents['entries'] {
  const ofKind = new Map(entries.get(kind))
  const value = to(ofKind.get(name))
  if (value === undefined) ofKind.delete(name)
  else ofKind.set(name, value)
  return new Map(entries).set(kind, ofKind)
}
