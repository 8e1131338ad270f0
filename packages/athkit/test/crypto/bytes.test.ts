import { expect, test } from 'vitest'
import { decodeBase64url, encodeBase64url, toBase64url } from '../../src/crypto/bytes.ts'

test('base64url is the same whether the runtime makes it or we do', () => {
  for (let length = 0; length < 200; length++) {
    // A view into something longer: nothing beside it may be seen.
    const bytes = Uint8Array.from({ length: length + 5 }, (_, i) => (i * 151 + length * 7) % 256).subarray(
      2,
      length + 2,
    )
    expect(toBase64url(bytes)).toBe(encodeBase64url(bytes))
    expect(decodeBase64url(toBase64url(bytes))).toEqual(Uint8Array.from(bytes))
  }
})
