import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'
import * as v from 'valibot'
import { AthError } from '../errors.ts'

/** What opens a vault: a passphrase, or 32 bytes that are kept elsewhere. */
export type VaultSecret = { readonly passphrase: string | Uint8Array } | { readonly key: Uint8Array }

/** scrypt (RFC 7914): about a third of a second and 128 MiB, so that guessing is dear. `n` is never taken smaller than this. */
const LEAST_N = 2 ** 17
const MOST_N = 2 ** 22

const base64url = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]*$/))
const Header = v.strictObject({
  ath_vault: v.literal(1),
  kdf: v.union([
    v.strictObject({
      name: v.literal('scrypt'),
      n: v.pipe(v.number(), v.integer(), v.minValue(LEAST_N), v.maxValue(MOST_N)),
      r: v.literal(8),
      p: v.literal(1),
      salt: base64url,
    }),
    v.strictObject({ name: v.literal('none') }),
  ]),
})
type Header = v.InferOutput<typeof Header>

const File = v.strictObject({
  ...Header.entries,
  /** HMAC under a key of its own: tells a wrong passphrase from a file that was changed. */
  verifier: base64url,
  nonce: base64url,
  /** AES-256-GCM with its tag, over the entries; the header is authenticated with them. */
  sealed: base64url,
  /** SHA-256 over all members before it: damage is told from a wrong passphrase before anything is derived. */
  digest: base64url,
})

/** The keys of a vault under one secret, and the header that says how they are derived. */
export interface VaultKeys {
  readonly header: Header
  readonly sealing: Buffer
  readonly verifier: string
}

const derive = promisify(scrypt) as (
  secret: string | Uint8Array,
  salt: Uint8Array,
  length: number,
  options: object,
) => Promise<Buffer>

/** For a new vault. @throws TypeError for an empty passphrase, or a key that is not of 32 bytes */
export function newKeys(secret: VaultSecret): Promise<VaultKeys> {
  const kdf: Header['kdf'] =
    'key' in secret
      ? { name: 'none' }
      : { name: 'scrypt', n: LEAST_N, r: 8, p: 1, salt: randomBytes(16).toString('base64url') }
  return keysFor({ ath_vault: 1, kdf }, secret)
}

async function keysFor(header: Header, secret: VaultSecret): Promise<VaultKeys> {
  const [sealing, checking] = await bothKeys(header, secret)
  const verifier = createHmac('sha256', checking).update('ATH vault verifier').digest('base64url')
  checking.fill(0)
  return { header, sealing, verifier }
}

async function bothKeys({ kdf }: Header, secret: VaultSecret): Promise<readonly [Buffer, Buffer]> {
  if ('key' in secret) {
    if (secret.key.length !== 32) throw new TypeError('key: 32 bytes')
    if (kdf.name !== 'none') throw wrong('it opens with a passphrase, not with a key')
    const part = (label: string) => createHmac('sha256', secret.key).update(label).digest()
    return [part('ATH vault sealing'), part('ATH vault checking')]
  }
  if (secret.passphrase.length === 0) throw new TypeError('passphrase: not empty')
  if (kdf.name !== 'scrypt') throw wrong('it opens with a key, not with a passphrase')
  const { n, r, p, salt } = kdf
  const options = { N: n, r, p, maxmem: 256 * n * r }
  const both = await derive(secret.passphrase, Buffer.from(salt, 'base64url'), 64, options)
  return [both.subarray(0, 32), both.subarray(32)]
}

/** Under a fresh nonce each time. */
export function sealVault({ header, sealing, verifier }: VaultKeys, plaintext: Uint8Array): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', sealing, nonce)
  cipher.setAAD(Buffer.from(JSON.stringify({ ...header, verifier })))
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  const members = {
    ...header,
    verifier,
    nonce: nonce.toString('base64url'),
    sealed: sealed.toString('base64url'),
  }
  return `${JSON.stringify({ ...members, digest: digestOf(members) })}\n`
}

/**
 * @param known keys that opened it before, which are not derived again while the header is the same
 * @throws AthError `vault_damaged` when it is not what a vault wrote, `vault_locked` when the secret is another
 */
export async function openVault(
  text: string,
  secret: VaultSecret,
  known?: VaultKeys,
): Promise<{ readonly keys: VaultKeys; readonly plaintext: Buffer }> {
  const { digest, nonce, sealed, verifier, ...header } = parse(text)
  if (digest !== digestOf({ ...header, verifier, nonce, sealed })) throw damaged('its digest does not fit')
  const isKnown = known !== undefined && JSON.stringify(known.header) === JSON.stringify(header)
  const keys = isKnown ? known : await keysFor(header, secret)
  if (!sameText(keys.verifier, verifier)) throw wrong('the passphrase or key is another')
  const bytes = Buffer.from(sealed, 'base64url')
  const iv = Buffer.from(nonce, 'base64url')
  if (iv.length !== 12 || bytes.length < 16) throw damaged('too short')
  const decipher = createDecipheriv('aes-256-gcm', keys.sealing, iv)
  decipher.setAAD(Buffer.from(JSON.stringify({ ...header, verifier })))
  decipher.setAuthTag(bytes.subarray(-16))
  try {
    const plaintext = Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()])
    return { keys, plaintext }
  } catch (cause) {
    throw damaged('it was changed by somebody without the key', cause)
  }
}

function parse(text: string): v.InferOutput<typeof File> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw damaged('not a vault file', cause)
  }
  const result = v.safeParse(File, value)
  if (!result.success) throw damaged('not a vault file of this version')
  // In the order in which it is written, which the digest and the authenticated header go by.
  const { ath_vault, kdf, verifier, nonce, sealed, digest } = result.output
  const ordered: Header['kdf'] =
    kdf.name === 'none' ? { name: 'none' } : { name: 'scrypt', n: kdf.n, r: kdf.r, p: kdf.p, salt: kdf.salt }
  return { ath_vault, kdf: ordered, verifier, nonce, sealed, digest }
}

const digestOf = (members: object): string =>
  createHash('sha256').update(JSON.stringify(members)).digest('base64url')

const sameText = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

const wrong = (reason: string) => new AthError('vault_locked', `the vault does not open: ${reason}`)
const damaged = (reason: string, cause?: unknown) =>
  new AthError('vault_damaged', `the vault is damaged or was tampered with: ${reason}`, { cause })
