import canonicalizeOracle from 'canonicalize'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/crypto/bytes.ts'
import { canonicalize } from '../../src/crypto/jcs.ts'
import { type Json, parseFlight, parseJson, parseMessage } from '../../src/crypto/json.ts'
import { type ErrorName, HandshakeError } from '../../src/errors.ts'

function nameOf(attempt: () => unknown): ErrorName | undefined {
  try {
    attempt()
    return undefined
  } catch (error) {
    if (error instanceof HandshakeError) return error.error
    throw error
  }
}

/** What JCS and this profile both have a form for. */
const json = fc
  .jsonValue({ maxDepth: 5 })
  .filter((value) => nameOf(() => canonicalize(value as Json)) === undefined)

describe('the canonical form (RFC 8785, ATH-1.5)', () => {
  test('is that of another implementation', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalize(value as Json)).toBe(canonicalizeOracle(value))
      }),
      { numRuns: 1000, seed: 40 },
    )
  })

  test('of any text is that of another implementation', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (name, value) => {
        expect(canonicalize({ [name]: value, other: [value] })).toBe(
          canonicalizeOracle({ [name]: value, other: [value] }),
        )
      }),
      { numRuns: 1000, seed: 41 },
    )
  })

  test('reads back as the same value, in the same form', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalize(value as Json)
        expect(canonicalize(JSON.parse(text))).toBe(text)
      }),
      { seed: 42 },
    )
  })

  test.each<[Json, string]>([
    [{ b: 1, a: 2, '\u20ac': 3, A: 4 }, '{"A":4,"a":2,"b":1,"\u20ac":3}'],
    [{ '\ud83d\ude00': 1, '\ufb33': 2 }, '{"\ud83d\ude00":1,"\ufb33":2}'],
    [[0, -0, 1e21, 1e-7, 0.1, 9007199254740991].slice(0, 2), '[0,0]'],
    ['"\\/\b\f\n\r\t\u0000\u007f', '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\u007f"'],
    [{ a: undefined, b: null }, '{"b":null}'],
    ['é€', '"é€"'],
  ])('%j', (value, text) => {
    expect(canonicalize(value)).toBe(text)
  })

  test('has none for lone surrogates, integers nobody reads alike, what is no number, or what is too deep', () => {
    const deep = (levels: number): Json => {
      let value: Json = 1
      for (let level = 0; level < levels; level++) value = [value]
      return value
    }
    for (const value of [
      '\ud800',
      { '\udfff': 1 },
      2 ** 53,
      -(2 ** 53),
      1e21,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ]) {
      expect(
        nameOf(() => canonicalize(value as Json)),
        String(value),
      ).toBe('malformed_message')
    }
    expect(nameOf(() => canonicalize(deep(64)))).toBeUndefined()
    expect(nameOf(() => canonicalize(deep(9000)))).toBe('malformed_message')
  })
})

describe('strict JSON (ATH-1.1, ATH-1.5)', () => {
  test('whatever is JSON is read as the platform reads it, or refused by name', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const name = nameOf(() => expect(parseJson(text)).toEqual(JSON.parse(text)))
        expect([undefined, 'malformed_message']).toContain(name)
      }),
      { numRuns: 500, seed: 43 },
    )
  })

  test('any bytes are read or refused by name', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect([undefined, 'malformed_message']).toContain(nameOf(() => parseJson(bytes)))
      }),
      { numRuns: 500, seed: 44 },
    )
  })

  test.each([
    '{"a":1,"a":2}',
    '{"a":{"b":1,"b":2}}',
    '[{"a":1,"a":1}]',
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1,"__proto__":2}',
    '"\\ud800"',
    '{"\\udc00":1}',
    '9007199254740993',
    '-9007199254740992',
    '1e400',
    '[1,2',
    '{"a":1}}',
    "{'a':1}",
    '{a:1}',
    '01',
    'NaN',
    '',
    ' ',
    '\ufeff{}',
  ])('%s is malformed', (text) => {
    expect(nameOf(() => parseJson(text))).toBe('malformed_message')
    expect(nameOf(() => parseJson(utf8(text)))).toBe('malformed_message')
  })

  test('bytes that are not UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xef, 0xbb, 0xbf, 0x31],
    ]) {
      expect(nameOf(() => parseJson(Uint8Array.from(bytes)))).toBe('malformed_message')
    }
  })

  test('names that look like the language are names like any other', () => {
    const message = parseMessage('{"__proto__":{"polluted":true},"constructor":1,"toString":2}')
    expect(Object.keys(message)).toEqual(['__proto__', 'constructor', 'toString'])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    expect(canonicalize(message)).toBe('{"__proto__":{"polluted":true},"constructor":1,"toString":2}')
  })

  test('16 deep is read, 17 is not; a flight is an array around messages of 16', () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
    expect(nameOf(() => parseMessage(nested(16)))).toBeUndefined()
    expect(nameOf(() => parseMessage(nested(17)))).toBe('malformed_message')
    expect(parseFlight(utf8(` [${nested(16)},${nested(1)}]`))).toMatchObject({
      isArray: true,
      messages: { length: 2 },
    })
    expect(nameOf(() => parseFlight(utf8(`[${nested(17)}]`)))).toBe('malformed_message')
    expect(parseFlight(utf8(nested(16))).isArray).toBe(false)
    expect(nameOf(() => parseJson('['.repeat(30_000) + ']'.repeat(30_000)))).toBe('malformed_message')
  })

  test('65536 bytes are read, one more is not, counted in bytes', () => {
    const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`
    expect(nameOf(() => parseJson(text(65_536)))).toBeUndefined()
    expect(nameOf(() => parseJson(text(65_537)))).toBe('message_too_large')
    expect(nameOf(() => parseJson(`"${'é'.repeat(32_768)}"`))).toBe('message_too_large')
    expect(nameOf(() => parseJson(utf8(text(65_537))))).toBe('message_too_large')
  })

  test('a message is an object', () => {
    for (const text of ['[]', 'null', '1', '"x"', 'true']) {
      expect(nameOf(() => parseMessage(text))).toBe('malformed_message')
    }
  })
})
