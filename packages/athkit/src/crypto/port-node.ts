import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto'
import { CIPHERS, type CipherSuite, SIGNATURES, type SignatureAlgorithm } from './algorithms.ts'
import { concat, toBase64url } from './bytes.ts'
import type { CryptoPort, KeyHandle, PublicJwk } from './port.ts'

/**
 * The form of a secret key that Node takes soonest. From Node 24 on a `KeyObject` hides what it holds, and whether bytes are one is found
 * out by an exception, which costs twice what encrypting 1 KiB does: there they are made one first. Before, bytes are taken as they are.
 */
const hidesItsKey = Object.getOwnPropertySymbols(createSecretKey(new Uint8Array(32))).length === 0
const quick: (key: Uint8Array) => KeyObject | Uint8Array = hidesItsKey ? createSecretKey : (key) => key

/** Node's own cryptography, synchronous throughout. */
export const port: CryptoPort = {
  sha256: (data) => hash('sha256', data, 'buffer'),
  hmac: (key, data) => createHmac('sha256', quick(key)).update(data).digest(),

  generateKeyPair(alg) {
    const privateKey = generate(alg)
    return { privateKey, jwk: publicJwkOf(privateKey, alg) }
  },
  importPublic: (_alg, jwk) => createPublicKey({ key: { ...jwk }, format: 'jwk' }),
  importPkcs8(alg, der) {
    const privateKey = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })
    return { privateKey, jwk: publicJwkOf(privateKey, alg) }
  },
  exportPkcs8: (privateKey) => (privateKey as KeyObject).export({ format: 'der', type: 'pkcs8' }),

  sign: (alg, privateKey, data) => nodeSign(digestOf(alg), data, options(privateKey)),
  verify(alg, publicKey, data, signature) {
    try {
      return nodeVerify(
        digestOf(alg),
        typeof data === 'string' ? Buffer.from(data) : data,
        options(publicKey),
        signature,
      )
    } catch {
      return false
    }
  },

  generateShare: (alg) => (alg === 'ECDH-P256' ? generateP256() : generateX25519()),
  importShare: (alg, scalar, share) =>
    createPrivateKey({ key: { ...shareJwk(alg, share), d: toBase64url(scalar) }, format: 'jwk' }),
  agree: (alg, privateKey, peer) =>
    diffieHellman({
      privateKey: privateKey as KeyObject,
      publicKey: createPublicKey({ key: shareJwk(alg, peer), format: 'jwk' }),
    }),

  seal(suite, key, nonce, plaintext) {
    const cipher = createCipheriv(NAMES[suite], quick(key), nonce, TAG)
    const head = cipher.update(plaintext)
    const tail = cipher.final()
    return concat(head, tail, cipher.getAuthTag())
  },
  open(suite, key, nonce, sealed) {
    const at = sealed.length - CIPHERS[suite].tagBytes
    if (at < 0) return undefined
    const decipher = createDecipheriv(NAMES[suite], quick(key), nonce, TAG)
    decipher.setAuthTag(sealed.subarray(at))
    const head = decipher.update(sealed.subarray(0, at))
    try {
      const tail = decipher.final()
      return tail.length === 0 ? head : Buffer.concat([head, tail])
    } catch {
      return undefined
    }
  },
}

const NAMES: Record<CipherSuite, 'aes-256-gcm'> = {
  'AES-256-GCM': 'aes-256-gcm',
  // Node's types know the AEAD options for the name of GCM and CCM alone; at run time they are the same.
  'CHACHA20-POLY1305': 'chacha20-poly1305' as 'aes-256-gcm',
}
const TAG = { authTagLength: 16 }

const digestOf = (alg: SignatureAlgorithm) => (alg === 'ES256' ? 'sha256' : null)
const options = (key: KeyHandle) => ({ key: key as KeyObject, dsaEncoding: 'ieee-p1363' as const })

const DER = {
  publicKeyEncoding: { format: 'der', type: 'spki' },
  privateKeyEncoding: { format: 'der', type: 'pkcs8' },
} as const

interface Encoded<PrivateKey = Buffer> {
  readonly publicKey: Buffer
  readonly privateKey: PrivateKey
}

/**
 * A new private key in PKCS#8 DER, which the caller wipes. On Node 20 a key that comes out of the generator itself shares a lock with the
 * generator's job: where garbage is collected while such a key is exported as a JWK, the end of the job waits for that lock, and the
 * process for ever. So it is asked for in its encoding.
 */
export function generatePkcs8(alg: SignatureAlgorithm): Buffer {
  // Node's types promise keys here, whatever encoding is asked for.
  const pair = (alg === 'ES256'
    ? generateKeyPairSync('ec', { namedCurve: 'prime256v1', ...DER })
    : generateKeyPairSync('ed25519', DER)) as unknown as Encoded
  return pair.privateKey
}

/** The same, read from its encoding. */
function generate(alg: SignatureAlgorithm): KeyObject {
  const der = generatePkcs8(alg)
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  return privateKey
}

/** The public half is asked of Diffie-Hellman with the base point (RFC 7748 §6.1): to encode a key and read it takes six times as long. */
function generateX25519() {
  const { privateKey } = generateKeyPairSync('x25519')
  basePoint ??= createPublicKey({ key: shareJwk('ECDH-X25519', BASE_POINT), format: 'jwk' })
  return { privateKey, share: diffieHellman({ privateKey, publicKey: basePoint }) }
}

const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31))
/** Made when it is wanted: a platform without X25519 has P-256, which is all that ATH-2 asks for. */
let basePoint: KeyObject | undefined

/** There DH gives one coordinate of two, so the public half is encoded; the private one never leaves its key. */
function generateP256() {
  // Node's types know both halves encoded or none.
  const options = { namedCurve: 'prime256v1', publicKeyEncoding: DER.publicKeyEncoding } as typeof DER & {
    namedCurve: string
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', options) as unknown as Encoded<KeyObject>
  // An uncompressed point is the end of its SPKI.
  return { privateKey, share: publicKey.subarray(-65) }
}

function publicJwkOf(privateKey: KeyObject, alg: SignatureAlgorithm): PublicJwk {
  const { kty, crv, x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (kty !== SIGNATURES[alg].kty || crv !== SIGNATURES[alg].crv) throw new TypeError(`not a key for ${alg}`)
  return alg === 'ES256' ? { kty: 'EC', crv: 'P-256', x, y } : { kty: 'OKP', crv: 'Ed25519', x }
}

function shareJwk(alg: 'ECDH-P256' | 'ECDH-X25519', share: Uint8Array) {
  if (alg === 'ECDH-X25519') return { kty: 'OKP', crv: 'X25519', x: toBase64url(share) }
  return {
    kty: 'EC',
    crv: 'P-256',
    x: toBase64url(share.subarray(1, 33)),
    y: toBase64url(share.subarray(33)),
  }
}
