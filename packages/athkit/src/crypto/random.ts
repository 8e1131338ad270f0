import { toBase64url } from './bytes.ts'

const pool = new Uint8Array(4096)
let unused = 0

/**
 * From the platform's CSPRNG (ATH-2.4); no option replaces it. Drawn in larger pieces, for a call costs more than its bytes; what
 * has been given out is wiped here.
 */
export function randomBytes(length: number): Uint8Array {
  if (length > 64) return globalThis.crypto.getRandomValues(new Uint8Array(length))
  if (length > unused) {
    globalThis.crypto.getRandomValues(pool)
    unused = pool.length
  }
  const bytes = pool.slice(unused - length, unused)
  pool.fill(0, unused - length, unused)
  unused -= length
  return bytes
}

/** 128 random bits as 22 characters of base64url behind a prefix. */
export const randomId = (prefix = ''): string => prefix + toBase64url(randomBytes(16))

/** A fair integer from 0 to `bound` − 1. */
export function randomInteger(bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound)
  for (;;) {
    const [value] = globalThis.crypto.getRandomValues(new Uint32Array(1))
    if (value !== undefined && value < limit) return value % bound
  }
}
