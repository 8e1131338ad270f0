import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'

/** The curve arithmetic that neither port offers: decompressing points and judging them. Public values only. */

/** x and y, 32 bytes each, of a compressed or uncompressed P-256 point; undefined when it is not on the curve. */
export function coordinatesOfP256(
  encoded: Uint8Array,
): { readonly x: Uint8Array; readonly y: Uint8Array } | undefined {
  try {
    const point = p256.Point.fromBytes(encoded)
    point.assertValidity()
    const bytes = point.toBytes(false)
    return { x: bytes.subarray(1, 33), y: bytes.subarray(33) }
  } catch {
    return undefined
  }
}

/** 33 bytes: the compressed form of the multikey. */
export function compressP256(x: Uint8Array, y: Uint8Array): Uint8Array {
  const compressed = new Uint8Array(33)
  compressed[0] = 2 + ((y[31] as number) & 1)
  compressed.set(x, 1)
  return compressed
}

/** Whether it encodes a point of Ed25519 that is not of small order: with such a key one signature fits any message (ATH-1.4). */
export function isUsableEd25519(encoded: Uint8Array): boolean {
  try {
    return !ed25519.Point.fromBytes(encoded).isSmallOrder()
  } catch {
    return false
  }
}

export const publicOfX25519 = (scalar: Uint8Array): Uint8Array => x25519.getPublicKey(scalar)
