import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { type KeyExchangeAlgorithm, SIGNATURES, type SignatureAlgorithm } from './algorithms.ts'
import { toBase64url, utf8 } from './bytes.ts'
import type { CryptoPort, PublicJwk } from './port.ts'

/** WebCrypto, and for ChaCha20-Poly1305, which it lacks, `@noble/ciphers`. */
const subtle = globalThis.crypto.subtle

const bytesOf = (data: Uint8Array | string): Uint8Array => (typeof data === 'string' ? utf8(data) : data)

export const port: CryptoPort = {
  async sha256(data) {
    return new Uint8Array(await subtle.digest('SHA-256', source(bytesOf(data))))
  },
  async hmac(key, data) {
    const imported = await subtle.importKey('raw', source(key), HMAC, false, ['sign'])
    return new Uint8Array(await subtle.sign('HMAC', imported, source(data)))
  },

  async generateKeyPair(alg, extractable) {
    const pair = (await subtle.generateKey(ALGORITHMS[alg], extractable, ['sign', 'verify'])) as CryptoKeyPair
    // Not as a JWK: on Node 20 that can wait for ever for the job that made the key (see the other port).
    return { privateKey: pair.privateKey, jwk: rawJwk(alg, await subtle.exportKey('raw', pair.publicKey)) }
  },
  importPublic: (alg, jwk) => subtle.importKey('jwk', { ...jwk }, ALGORITHMS[alg], true, ['verify']),
  async importPkcs8(alg, der) {
    // WebCrypto gives the public half only with the private one, so it is read from a copy that nothing keeps.
    const extractable = await subtle.importKey('pkcs8', source(der), ALGORITHMS[alg], true, ['sign'])
    const jwk = publicJwk(alg, await subtle.exportKey('jwk', extractable))
    return { privateKey: extractable, jwk }
  },
  async exportPkcs8(privateKey) {
    return new Uint8Array(await subtle.exportKey('pkcs8', privateKey as CryptoKey))
  },

  async sign(alg, privateKey, data) {
    return new Uint8Array(await subtle.sign(ALGORITHMS[alg], privateKey as CryptoKey, source(data)))
  },
  async verify(alg, publicKey, data, signature) {
    try {
      return await subtle.verify(
        ALGORITHMS[alg],
        publicKey as CryptoKey,
        source(signature),
        source(bytesOf(data)),
      )
    } catch {
      return false
    }
  },

  async generateShare(alg) {
    const pair = (await subtle.generateKey(EXCHANGE[alg], false, ['deriveBits'])) as CryptoKeyPair
    return {
      privateKey: pair.privateKey,
      share: new Uint8Array(await subtle.exportKey('raw', pair.publicKey)),
    }
  },
  importShare: (alg, scalar, share) =>
    subtle.importKey('jwk', { ...shareJwk(alg, share), d: toBase64url(scalar) }, EXCHANGE[alg], false, [
      'deriveBits',
    ]),
  async agree(alg, privateKey, peer) {
    const key = await subtle.importKey('raw', source(peer), EXCHANGE[alg], true, [])
    const algorithm = { name: EXCHANGE[alg].name, public: key }
    return new Uint8Array(await subtle.deriveBits(algorithm, privateKey as CryptoKey, 256))
  },

  async seal(suite, key, nonce, plaintext) {
    if (suite === 'CHACHA20-POLY1305') return chacha20poly1305(key, nonce).encrypt(plaintext)
    const imported = await subtle.importKey('raw', source(key), 'AES-GCM', false, ['encrypt'])
    return new Uint8Array(
      await subtle.encrypt({ name: 'AES-GCM', iv: source(nonce) }, imported, source(plaintext)),
    )
  },
  async open(suite, key, nonce, sealed) {
    try {
      if (suite === 'CHACHA20-POLY1305') return chacha20poly1305(key, nonce).decrypt(sealed)
      const imported = await subtle.importKey('raw', source(key), 'AES-GCM', false, ['decrypt'])
      return new Uint8Array(
        await subtle.decrypt({ name: 'AES-GCM', iv: source(nonce) }, imported, source(sealed)),
      )
    } catch {
      return undefined
    }
  },
}

const HMAC = { name: 'HMAC', hash: 'SHA-256' }
const ALGORITHMS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
} as const satisfies Record<SignatureAlgorithm, object>
const EXCHANGE = {
  'ECDH-P256': { name: 'ECDH', namedCurve: 'P-256' },
  'ECDH-X25519': { name: 'X25519' },
} as const satisfies Record<KeyExchangeAlgorithm, object>

/** The types of WebCrypto refuse a view of a shared buffer, which none of ours is. */
const source = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>

function rawJwk(alg: SignatureAlgorithm, raw: ArrayBuffer): PublicJwk {
  const bytes = new Uint8Array(raw)
  return alg === 'ES256'
    ? { kty: 'EC', crv: 'P-256', x: toBase64url(bytes.subarray(1, 33)), y: toBase64url(bytes.subarray(33)) }
    : { kty: 'OKP', crv: 'Ed25519', x: toBase64url(bytes) }
}

function publicJwk(alg: SignatureAlgorithm, { kty, crv, x = '', y = '' }: JsonWebKey): PublicJwk {
  if (kty !== SIGNATURES[alg].kty || crv !== SIGNATURES[alg].crv) throw new TypeError(`not a key for ${alg}`)
  return alg === 'ES256' ? { kty: 'EC', crv: 'P-256', x, y } : { kty: 'OKP', crv: 'Ed25519', x }
}

function shareJwk(alg: KeyExchangeAlgorithm, share: Uint8Array): JsonWebKey {
  if (alg === 'ECDH-X25519') return { kty: 'OKP', crv: 'X25519', x: toBase64url(share) }
  return {
    kty: 'EC',
    crv: 'P-256',
    x: toBase64url(share.subarray(1, 33)),
    y: toBase64url(share.subarray(33)),
  }
}
