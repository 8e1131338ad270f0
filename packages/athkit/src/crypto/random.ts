import { toBase64url } from './bytes.ts'

/** From the platform's CSPRNG (ATH-2.4); no option replaces it. */
export function randomBytes(length: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(length))
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
