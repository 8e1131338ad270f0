import { base58 } from '@scure/base'
import { SIGNATURE_ALGORITHMS, SIGNATURES, type SignatureAlgorithm } from './algorithms.ts'
import { concat } from './bytes.ts'
import { compressP256 } from './points.ts'

/** Longer than any multikey here; base58 costs the square of its length. */
const LONGEST = 128

/** A multikey: `z`, and in base58btc a multicodec prefix and the key (ATH-4.1); undefined when it is of no key known here. */
export function decodeMultikey(
  text: string,
): { readonly alg: SignatureAlgorithm; readonly bytes: Uint8Array } | undefined {
  if (!text.startsWith('z') || text.length > LONGEST) return undefined
  const decoded = decodeBase58(text.slice(1))
  if (decoded === undefined) return undefined
  for (const alg of SIGNATURE_ALGORITHMS) {
    const { multicodec, publicBytes } = SIGNATURES[alg]
    const [first, second] = multicodec
    if (decoded[0] === first && decoded[1] === second && decoded.length === publicBytes + 2) {
      return { alg, bytes: decoded.subarray(2) }
    }
  }
  return undefined
}

/** @param bytes 65 bytes of an uncompressed P-256 point, or the 32 of an Ed25519 key */
export function encodeMultikey(alg: SignatureAlgorithm, bytes: Uint8Array): string {
  const key = alg === 'ES256' ? compressP256(bytes.subarray(1, 33), bytes.subarray(33)) : bytes
  return `z${base58.encode(concat(Uint8Array.from(SIGNATURES[alg].multicodec), key))}`
}

function decodeBase58(text: string): Uint8Array | undefined {
  try {
    return base58.decode(text)
  } catch {
    return undefined
  }
}
