import { type Awaitable, concat } from './bytes.ts'
import { port } from './port.ts'

const HASH_BYTES = 32

/** HKDF-Extract with SHA-256 (RFC 5869 §2.2); an empty salt counts as 32 zeros. */
export function extract(salt: Uint8Array, inputKeyMaterial: Uint8Array): Awaitable<Uint8Array> {
  return port.hmac(salt.length === 0 ? new Uint8Array(HASH_BYTES) : salt, inputKeyMaterial)
}

/**
 * HKDF-Expand with SHA-256 (RFC 5869 §2.3).
 *
 * @param length in bytes, at most 255 × 32
 * @throws RangeError beyond it
 */
export function expand(prk: Uint8Array, info: Uint8Array, length: number): Awaitable<Uint8Array> {
  if (length > 255 * HASH_BYTES) throw new RangeError('HKDF-Expand yields at most 8160 bytes')
  // Every key here is one block or less, which is one HMAC and no waiting in between.
  if (length <= HASH_BYTES) return first(port.hmac(prk, concat(info, Uint8Array.of(1))), length)
  return expandBlocks(prk, info, length)
}

function first(block: Awaitable<Uint8Array>, length: number): Awaitable<Uint8Array> {
  return block instanceof Promise
    ? block.then((bytes) => bytes.subarray(0, length))
    : block.subarray(0, length)
}

async function expandBlocks(prk: Uint8Array, info: Uint8Array, length: number): Promise<Uint8Array> {
  const blocks: Uint8Array[] = []
  let previous: Uint8Array = new Uint8Array()
  for (let counter = 1; blocks.length * HASH_BYTES < length; counter++) {
    previous = await port.hmac(prk, concat(previous, info, Uint8Array.of(counter)))
    blocks.push(previous)
  }
  return concat(...blocks).subarray(0, length)
}
