import { readFile } from 'node:fs/promises'
import type { Kept, Vault, VaultKind } from '../agent/vault.ts'
import type { SignatureAlgorithm } from '../crypto/algorithms.ts'
import type { Signer } from '../crypto/keys.ts'
import { generatePkcs8 } from '../crypto/port-node.ts'
import { didFromKey } from '../did/did.ts'
import type { Identity } from '../handshake/index.ts'
import { replaceFile, sweep } from './atomic.ts'
import { type Contents, decodeContents, EMPTY, encodeContents } from './contents.ts'
import { newKeys, openVault, sealVault, type VaultKeys, type VaultSecret } from './format.ts'
import { locked } from './lock.ts'
import { signerFromDer } from './signer.ts'

/** A vault that keeps the keys themselves: the identity's, and others until they take its place or for what else the DID has them. */
export interface FileVault extends Vault {
  /** The key of that name, beside the identity's; made the first time it is asked for, and kept before this resolves. */
  key(name: string, alg?: SignatureAlgorithm): Promise<Signer>
  /** Every key beside the identity's, by name. */
  keys(): Promise<ReadonlyMap<string, Signer>>
  /**
   * The identity is this DID from now on. With `key`, the key of that name takes the place of the identity's own, which is forgotten;
   * one atomic step.
   */
  become(did: string, key?: string): Promise<Identity>
  /** Gives a key another name; undefined forgets it. */
  rename(name: string, to: string | undefined): Promise<void>
}

/**
 * A vault in one encrypted file, made with the first thing that is put into it. Several processes may share it. A crash, at any byte,
 * leaves it as it was or as it was to be.
 *
 * @throws AthError `vault_locked` for another passphrase or key, `vault_damaged` for a file that is damaged or was tampered with
 * @throws TypeError for an empty passphrase, or a key that is not of 32 bytes
 */
export async function openFileVault(file: string, secret: VaultSecret): Promise<FileVault> {
  let keys: VaultKeys | undefined
  let swept: Promise<void> | undefined

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
      swept ??= sweep(file)
      await swept
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
    const known = await read()
    const contents =
      known.key === undefined
        ? await change((before) => (before.key ? before : { ...before, key: generatePkcs8(alg) }))
        : known
    return identityIn(contents)
  }

  // A wrong passphrase is told at once, and not when the vault is first used.
  if ((await read()) === EMPTY) keys = await newKeys(secret)
  return {
    identity,
    entries: async (kind) => (await read()).entries.get(kind) ?? new Map(),
    async update(kind, name, to) {
      await change((before) => ({ ...before, entries: updated(before.entries, kind, name, to) }))
    },
    async key(name, alg = 'ES256') {
      const { entries } = await change((before) => {
        if (before.entries.get('key')?.has(name)) return before
        return { ...before, entries: updated(before.entries, 'key', name, () => generatePkcs8(alg)) }
      })
      return signerFromDer(keyIn(entries, name))
    },
    async keys() {
      const { entries } = await read()
      const names = [...(entries.get('key') ?? new Map<string, Kept>()).keys()]
      const signers = names.map(async (name) => [name, await signerFromDer(keyIn(entries, name))] as const)
      return new Map(await Promise.all(signers))
    },
    async become(did, name) {
      const contents = await change((before) => {
        const entries = updated(before.entries, 'identity', 'did', () => did)
        if (name === undefined) return { ...before, entries }
        return { key: keyIn(entries, name), entries: updated(entries, 'key', name, () => undefined) }
      })
      return identityIn(contents)
    },
    async rename(name, to) {
      await change((before) => {
        const der = keyIn(before.entries, name)
        const without = updated(before.entries, 'key', name, () => undefined)
        return { ...before, entries: to === undefined ? without : updated(without, 'key', to, () => der) }
      })
    },
  }
}

/** A key-form DID is the key's own; any other was given by whoever registered it. */
async function identityIn({ key, entries }: Contents): Promise<Identity> {
  if (key === undefined) throw new Error('no key was made')
  const signer = await signerFromDer(key)
  const did = entries.get('identity')?.get('did')
  return { did: typeof did === 'string' ? did : didFromKey(signer.publicKey), signer }
}

/** @throws TypeError where there is none of that name */
function keyIn(entries: Contents['entries'], name: string): Buffer {
  const der = entries.get('key')?.get(name)
  // The same bytes, not a copy: whoever signs with them wipes them.
  if (der instanceof Uint8Array) return Buffer.from(der.buffer, der.byteOffset, der.byteLength)
  throw new TypeError(`the vault has no key ${name}`)
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
