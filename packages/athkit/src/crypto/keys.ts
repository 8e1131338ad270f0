import { refuse } from '../errors.ts'
import { SIGNATURES, type SignatureAlgorithm } from './algorithms.ts'
import { type Awaitable, concat, decodeBase64url, equalBytes, toBase64url } from './bytes.ts'
import { canonicalize, sha256 } from './jcs.ts'
import { decodeMultikey, encodeMultikey } from './multikey.ts'
import { decodePem, encodePem, fromHex } from './pem.ts'
import { coordinatesOfP256, isUsableEd25519 } from './points.ts'
import { type KeyHandle, type PublicJwk, port } from './port.ts'

export type { PublicJwk } from './port.ts'

/** A public signature key, checked when it was made: on its curve, and not of small order. */
export interface PublicKey {
  readonly alg: SignatureAlgorithm
  readonly jwk: PublicJwk
  /** RFC 7638, SHA-256, base64url. Two keys are the same when their thumbprints are (ATH-1.4). */
  readonly thumbprint: string
  /** As the platform holds it. */
  readonly handle: KeyHandle
}

/**
 * Whatever can sign with a private key: a key in this process, or one in a KMS or HSM that never leaves it. Nothing in this library
 * asks for the private key itself.
 */
export interface Signer {
  readonly publicKey: PublicKey
  /** 64 bytes: r‖s for ES256, raw for EdDSA (ATH-1.3). */
  sign(data: Uint8Array): Awaitable<Uint8Array>
}

/** A signer whose private key stays in the platform and cannot be read out of it. */
export async function generateSigner(alg: SignatureAlgorithm = 'ES256'): Promise<Signer> {
  return signerOf(alg, await port.generateKeyPair(alg, false))
}

/** A new key as PKCS#8 PEM, for whoever keeps it in a file of their own, and its signer. */
export async function generateExportable(
  alg: SignatureAlgorithm = 'ES256',
): Promise<{ readonly signer: Signer; readonly pkcs8Pem: string }> {
  const pair = await port.generateKeyPair(alg, true)
  return {
    signer: await signerOf(alg, pair),
    pkcs8Pem: encodePem('PRIVATE KEY', await port.exportPkcs8(pair.privateKey)),
  }
}

/** @throws HandshakeError `malformed_message` when it is not one PKCS#8 block of a P-256 or Ed25519 key */
export async function signerFromPkcs8(pem: string): Promise<Signer> {
  const der = decodePem(pem, 'PRIVATE KEY')
  for (const alg of ['ES256', 'EdDSA'] as const) {
    const pair = der && (await attempt(() => port.importPkcs8(alg, der)))
    if (pair !== undefined) return signerOf(alg, pair)
  }
  throw malformed('not one PKCS#8 block of a P-256 or Ed25519 key')
}

/** @throws HandshakeError `malformed_message` when it is no private JWK of a P-256 or Ed25519 key */
export async function signerFromJwk(jwk: PublicJwk & { readonly d: string }): Promise<Signer> {
  const publicKey = await publicKeyFromJwk(jwk)
  const scalar = decodeBase64url(jwk.d)
  if (scalar?.length !== 32) throw malformed('d is not 32 bytes')
  const der = concat(fromHex(SIGNATURES[publicKey.alg].pkcs8), scalar)
  const pair = await attempt(() => port.importPkcs8(publicKey.alg, der))
  if (pair === undefined) throw malformed('not a private key')
  return signerOf(publicKey.alg, pair)
}

async function signerOf(
  alg: SignatureAlgorithm,
  pair: { readonly privateKey: KeyHandle; readonly jwk: PublicJwk },
): Promise<Signer> {
  const publicKey = await publicKeyFromJwk(pair.jwk)
  return { publicKey, sign: (data) => port.sign(alg, pair.privateKey, data) }
}

/**
 * @throws HandshakeError `malformed_message` for anything but a P-256 key on its curve or an Ed25519 key that is not of small order
 */
export async function publicKeyFromJwk(jwk: unknown): Promise<PublicKey> {
  const { kty, crv, x, y, use = 'sig', key_ops: operations } = (jwk ?? {}) as Record<string, unknown>
  if (use !== 'sig') throw malformed('not for signatures')
  if (
    operations !== undefined &&
    !(Array.isArray(operations) && operations.some((one) => one === 'verify' || one === 'sign'))
  ) {
    throw malformed('not for signatures')
  }
  const xBytes = typeof x === 'string' ? decodeBase64url(x) : undefined
  if (xBytes?.length !== 32) throw malformed('not a key of 256 bits')
  if (kty === 'OKP' && crv === 'Ed25519') return publicKeyFromBytes('EdDSA', xBytes)
  const yBytes = typeof y === 'string' ? decodeBase64url(y) : undefined
  if (kty !== 'EC' || crv !== 'P-256' || yBytes?.length !== 32)
    throw malformed('not a key of P-256 or Ed25519')
  return publicKeyFromBytes('ES256', concat(Uint8Array.of(4), xBytes, yBytes))
}

/** @param bytes a point of P-256, compressed or not, or the 32 bytes of an Ed25519 key */
export async function publicKeyFromBytes(alg: SignatureAlgorithm, bytes: Uint8Array): Promise<PublicKey> {
  const jwk = alg === 'ES256' ? jwkOfP256(bytes) : jwkOfEd25519(bytes)
  const thumbprint = toBase64url(await sha256(canonicalize({ ...jwk })))
  return { alg, jwk, thumbprint, handle: await port.importPublic(alg, jwk) }
}

function jwkOfP256(bytes: Uint8Array): PublicJwk {
  const point = coordinatesOfP256(bytes)
  if (point === undefined) throw malformed('not a point of P-256')
  return { kty: 'EC', crv: 'P-256', x: toBase64url(point.x), y: toBase64url(point.y) }
}

function jwkOfEd25519(bytes: Uint8Array): PublicJwk {
  if (!isUsableEd25519(bytes)) throw malformed('not a point of Ed25519, or one of small order')
  return { kty: 'OKP', crv: 'Ed25519', x: toBase64url(bytes) }
}

/**
 * The form of keys in messages (ATH-1.4): one PEM `PUBLIC KEY` block and nothing else; P-256 as a named curve, uncompressed.
 *
 * @throws HandshakeError `malformed_message`
 */
export async function publicKeyFromPem(pem: unknown): Promise<PublicKey> {
  const known = typeof pem === 'string' ? recent.get(pem) : undefined
  if (known !== undefined) return known
  const der = typeof pem === 'string' ? decodePem(pem, 'PUBLIC KEY') : undefined
  const key = der && (await publicKeyFromSpki(der))
  if (key === undefined) throw malformed('not one PEM block of a P-256 or Ed25519 key')
  remember(pem as string, key)
  return key
}

async function publicKeyFromSpki(der: Uint8Array): Promise<PublicKey | undefined> {
  for (const alg of ['ES256', 'EdDSA'] as const) {
    const prefix = fromHex(SIGNATURES[alg].spki)
    const length = alg === 'ES256' ? 65 : 32
    if (der.length !== prefix.length + length || !equalBytes(der.subarray(0, prefix.length), prefix)) continue
    const point = der.subarray(prefix.length)
    if (alg === 'ES256' && point[0] !== 4) return undefined
    return publicKeyFromBytes(alg, point)
  }
  return undefined
}

/** The same agents come again and again: importing a key costs about as much as verifying with it. */
const recent = new Map<string, PublicKey>()
const MOST_RECENT = 1024

function remember(text: string, key: PublicKey): void {
  if (recent.size >= MOST_RECENT) recent.delete(recent.keys().next().value as string)
  recent.set(text, key)
}

/** @throws HandshakeError `malformed_message` when it is no multikey of a P-256 or Ed25519 key (ATH-4.1) */
export async function publicKeyFromMultikey(text: unknown): Promise<PublicKey> {
  const known = typeof text === 'string' ? recent.get(text) : undefined
  if (known !== undefined) return known
  const decoded = typeof text === 'string' ? decodeMultikey(text) : undefined
  if (decoded === undefined) throw malformed('not a multikey of P-256 or Ed25519')
  const key = await publicKeyFromBytes(decoded.alg, decoded.bytes)
  remember(text as string, key)
  return key
}

const pems = new WeakMap<PublicKey, string>()

/** Written once for each key: a service sends its own in every handshake. */
export function toPem(key: PublicKey): string {
  const known = pems.get(key)
  if (known !== undefined) return known
  const pem = encodePem('PUBLIC KEY', concat(fromHex(SIGNATURES[key.alg].spki), bytesOf(key)))
  pems.set(key, pem)
  return pem
}

export const toMultikey = (key: PublicKey): string => encodeMultikey(key.alg, bytesOf(key))

export const sameKey = (a: PublicKey, b: PublicKey): boolean => a.thumbprint === b.thumbprint

/** 65 bytes, uncompressed, or 32. */
function bytesOf({ jwk }: PublicKey): Uint8Array {
  const x = decodeBase64url(jwk.x) as Uint8Array
  return jwk.kty === 'OKP' ? x : concat(Uint8Array.of(4), x, decodeBase64url(jwk.y) as Uint8Array)
}

async function attempt<T>(make: () => Awaitable<T>): Promise<T | undefined> {
  try {
    return await make()
  } catch {
    return undefined
  }
}

const malformed = (reason: string) => refuse('malformed_message', `key: ${reason}`, { rule: 'ATH-1.4' })
