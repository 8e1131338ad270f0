import { refuse } from '../errors.ts'
import { CIPHERS, type CipherSuite } from './algorithms.ts'
import type { Awaitable } from './bytes.ts'
import { port } from './port.ts'

/**
 * Ciphertext with its 16-byte tag behind it; no associated data (ATH-7.2).
 *
 * @param key 32 bytes, good for one plaintext per nonce
 * @param nonce 12 bytes
 * @throws TypeError for a key or a nonce of another length
 */
export function seal(
  suite: CipherSuite,
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
): Awaitable<Uint8Array> {
  checkLengths(suite, key, nonce)
  return port.seal(suite, key, nonce, plaintext)
}

/**
 * @throws HandshakeError `malformed_message` when the tag does not fit
 * @throws TypeError for a key or a nonce of another length
 */
export function open(
  suite: CipherSuite,
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
): Awaitable<Uint8Array> {
  checkLengths(suite, key, nonce)
  const opened = port.open(suite, key, nonce, sealed)
  return opened instanceof Promise ? opened.then(orRefuse) : orRefuse(opened)
}

function orRefuse(plaintext: Uint8Array | undefined): Uint8Array {
  if (plaintext === undefined)
    throw refuse('malformed_message', 'the record does not open', { rule: 'ATH-7.2' })
  return plaintext
}

function checkLengths(suite: CipherSuite, key: Uint8Array, nonce: Uint8Array): void {
  const { keyBytes, nonceBytes } = CIPHERS[suite]
  if (key.length !== keyBytes || nonce.length !== nonceBytes)
    throw new TypeError(`${suite}: key or nonce of a wrong length`)
}
