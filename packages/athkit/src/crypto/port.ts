/**
 * The one place where cryptography meets the platform. There are two ports, `port-node.ts` and `port-webcrypto.ts`; which one is
 * loaded is decided by the package's `imports` map when a program is resolved. Node's is synchronous, because WebCrypto is several
 * times slower for small inputs; so callers await every answer and neither port knows of the other.
 */
import { port as chosen } from '#port'
import type { CipherSuite, KeyExchangeAlgorithm, SignatureAlgorithm } from './algorithms.ts'
import type { Awaitable } from './bytes.ts'

/** A public JWK of the two kinds that exist here (RFC 7517, RFC 8037). */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }

/** A public key, or a private one, as the platform holds it. */
export type KeyHandle = object

export interface CryptoPort {
  /** @param data of a text, its UTF-8 */
  sha256(data: Uint8Array | string): Awaitable<Uint8Array>
  /** HMAC-SHA-256, of which HKDF is made. */
  hmac(key: Uint8Array, data: Uint8Array): Awaitable<Uint8Array>

  generateKeyPair(
    alg: SignatureAlgorithm,
    extractable: boolean,
  ): Awaitable<{ privateKey: KeyHandle; jwk: PublicJwk }>
  /** The key has been checked to be on its curve, and not of small order. */
  importPublic(alg: SignatureAlgorithm, jwk: PublicJwk): Awaitable<KeyHandle>
  /** @throws any error when it is no such key */
  importPkcs8(alg: SignatureAlgorithm, der: Uint8Array): Awaitable<{ privateKey: KeyHandle; jwk: PublicJwk }>
  exportPkcs8(privateKey: KeyHandle): Awaitable<Uint8Array>
  /** 64 bytes: r‖s for ES256, raw for EdDSA. */
  sign(alg: SignatureAlgorithm, privateKey: KeyHandle, data: Uint8Array): Awaitable<Uint8Array>
  /** `signature` is 64 bytes; of a text, `data` is its UTF-8. Never throws for what it is given: false. */
  verify(
    alg: SignatureAlgorithm,
    publicKey: KeyHandle,
    data: Uint8Array | string,
    signature: Uint8Array,
  ): Awaitable<boolean>

  generateShare(alg: KeyExchangeAlgorithm): Awaitable<{ privateKey: KeyHandle; share: Uint8Array }>
  importShare(alg: KeyExchangeAlgorithm, privateKey: Uint8Array, share: Uint8Array): Awaitable<KeyHandle>
  /** The shared secret, 32 bytes. @throws any error when `peer` is no valid share */
  agree(alg: KeyExchangeAlgorithm, privateKey: KeyHandle, peer: Uint8Array): Awaitable<Uint8Array>

  /** Ciphertext, and the 16-byte tag behind it. No associated data. */
  seal(suite: CipherSuite, key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): Awaitable<Uint8Array>
  /** undefined when the tag does not fit. */
  open(
    suite: CipherSuite,
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
  ): Awaitable<Uint8Array | undefined>
}

export const port: CryptoPort = chosen
