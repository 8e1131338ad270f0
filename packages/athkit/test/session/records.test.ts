import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seal } from '../../src/crypto/aead.ts'
import type { CipherSuite } from '../../src/crypto/algorithms.ts'
import { concat, utf8 } from '../../src/crypto/bytes.ts'
import { HandshakeError } from '../../src/errors.ts'
import { openExchange, sealStream, sealWhole, splitHead } from '../../src/session/exchange.ts'
import { createReader, createSealer, exchangeKey, MOST_PLAINTEXT } from '../../src/session/records.ts'

const CIPHERS: readonly CipherSuite[] = ['AES-256-GCM', 'CHACHA20-POLY1305']
const KEY = new Uint8Array(32).fill(7)
const HEAD = utf8('{"status":200}')
const runs = { numRuns: 30, seed: 20 }

/** Bytes in chunks of any size, as a network hands them over. */
async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function openWhole(suite: CipherSuite, source: Uint8Array | AsyncIterable<Uint8Array>, key = KEY) {
  const exchange = await openExchange(suite, key, createReader(source))
  const parts: Uint8Array[] = []
  for await (const part of exchange.body()) parts.push(part)
  return { head: splitHead(exchange.record0).head, body: concat(...parts) }
}

async function collected(records: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  for await (const record of records) all.push(record)
  return all
}

async function* of(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

const refused = async (opening: Promise<unknown>) => {
  const error = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(HandshakeError)
  expect((error as HandshakeError).error).toBe('malformed_message')
  expect((error as HandshakeError).rule).toMatch(/^ATH-7\./)
}

describe.each(CIPHERS)('records under %s', (suite) => {
  test('any head and body come back, however they are chunked (ATH-7.2, ATH-7.4)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 3000 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 }),
        async (head, body, sizes) => {
          const sealed = await sealWhole(suite, KEY, head, body)
          const opened = await openWhole(suite, inChunks(sealed, sizes))
          expect(Buffer.from(opened.head)).toEqual(Buffer.from(head))
          expect(Buffer.from(opened.body)).toEqual(Buffer.from(body))
        },
      ),
      runs,
    )
  })

  test.each([
    0,
    1,
    MOST_PLAINTEXT - HEAD.length - 5,
    MOST_PLAINTEXT - HEAD.length - 4,
    MOST_PLAINTEXT - HEAD.length - 3,
    2 * MOST_PLAINTEXT,
    200_000,
  ])('a body of %i bytes, at and around the ends of records', async (length) => {
    const body = new Uint8Array(length).fill(3)
    const opened = await openWhole(suite, await sealWhole(suite, KEY, HEAD, body))
    expect(opened.body.length).toBe(length)
    expect(Buffer.from(opened.body).equals(Buffer.from(body))).toBe(true)
  })

  test('a stream arrives as it is sent: the first part before the last is there', async () => {
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    async function* slow() {
      yield utf8('first')
      await held
      yield utf8('second')
    }
    const exchange = await openExchange(suite, KEY, createReader(sealStream(suite, KEY, HEAD, slow())))
    const body = exchange.body()
    expect((await body.next()).value).toHaveLength(0)
    expect(Buffer.from((await body.next()).value ?? []).toString()).toBe('first')
    release()
    expect(Buffer.from((await body.next()).value ?? []).toString()).toBe('second')
    expect(exchange.single).toBe(false)
  })

  test('every truncation is refused: no body that is cut short looks whole', async () => {
    const sealed = concat(...(await collected(sealStream(suite, KEY, HEAD, of(utf8('one'), utf8('two'))))))
    for (let length = 0; length < sealed.length; length++) {
      await refused(openWhole(suite, sealed.subarray(0, length)))
    }
  })

  test('every flipped bit is refused', async () => {
    const sealed = await sealWhole(suite, KEY, HEAD, utf8('{"total":1}'))
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const altered = Uint8Array.from(sealed)
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7))
      await refused(openWhole(suite, altered))
    }
  })

  test('records that are swapped, repeated, left out or added are refused', async () => {
    const records = await collected(sealStream(suite, KEY, HEAD, of(utf8('one'), utf8('two'), utf8('three'))))
    const [head, one, two, three, last] = records as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    expect((await openWhole(suite, concat(...records))).body).toHaveLength('onetwothree'.length)
    for (const forged of [
      [one, head, two, three, last],
      [head, two, one, three, last],
      [head, one, one, two, three, last],
      [head, two, three, last],
      [head, one, two, three],
      [head, last],
      [head, one, two, three, last, last],
      [head, one, two, three, last, Uint8Array.of(0)],
    ]) {
      await refused(openWhole(suite, concat(...forged)))
    }
  })

  test('whoever marks a record in the middle as the last one is found out', async () => {
    const records = await collected(sealStream(suite, KEY, HEAD, of(utf8('one'), utf8('two'))))
    const [head, one] = records.map((record) => Uint8Array.from(record)) as [Uint8Array, Uint8Array]
    one[0] = (one[0] as number) | 0x80
    await refused(openWhole(suite, concat(head, one)))
  })

  test('a record without plaintext that is not the last is refused though it opens', async () => {
    const nonce = (counter: number, last: number) =>
      Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, counter, last)
    const record = (sealed: Uint8Array, last: number) =>
      concat(Uint8Array.of(last * 0x80, 0, 0, sealed.length), sealed)
    const [head] = await collected(sealStream(suite, KEY, HEAD, of()))
    const empty = record(await seal(suite, KEY, nonce(1, 0), new Uint8Array()), 0)
    const end = async (counter: number) => record(await seal(suite, KEY, nonce(counter, 1), utf8('x')), 1)
    expect((await openWhole(suite, concat(head as Uint8Array, await end(1)))).body).toHaveLength(1)
    await refused(openWhole(suite, concat(head as Uint8Array, empty, await end(2))))
  })

  test('what announces too much is refused before it is read', async () => {
    let read = 0
    async function* endless() {
      yield Uint8Array.of(0x7f, 0xff, 0xff, 0xff)
      for (;;) {
        read += 65_536
        if (read > 10_000_000) throw new Error('it is read')
        yield new Uint8Array(65_536)
      }
    }
    await refused(openWhole(suite, endless()))
    expect(read).toBe(0)
  })

  test('a record of another exchange does not fit', async () => {
    const other = new Uint8Array(32).fill(8)
    await refused(openWhole(suite, await sealWhole(suite, other, HEAD, utf8('x'))))
  })

  test('a length beyond a record, or an empty record before the last, is refused before it is read', async () => {
    const prefix = (word: number) =>
      Uint8Array.of(word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255)
    await refused(openWhole(suite, concat(prefix(MOST_PLAINTEXT + 17), new Uint8Array(70_000))))
    await refused(openWhole(suite, concat(prefix(0x80000000 + 15), new Uint8Array(15))))
    await refused(openWhole(suite, concat(prefix(16), new Uint8Array(16))))
    await refused(openWhole(suite, concat(prefix(0x7fffffff), new Uint8Array(100))))
  })

  test('nothing is sealed behind the last record, nor an empty one before it', async () => {
    const seal = createSealer(suite, KEY)
    await expect(seal(new Uint8Array(), false)).rejects.toThrow(RangeError)
    await expect(seal(new Uint8Array(MOST_PLAINTEXT + 1), false)).rejects.toThrow(RangeError)
    await seal(utf8('x'), true)
    await expect(seal(utf8('y'), false)).rejects.toThrow(RangeError)
  })
})

test('a head must lie wholly in record 0 (ATH-7.4)', async () => {
  await expect(sealWhole('AES-256-GCM', KEY, new Uint8Array(MOST_PLAINTEXT - 3), utf8(''))).rejects.toThrow(
    RangeError,
  )
  for (const record0 of [[], [0, 0, 0], [0, 0, 0, 2, 1], [255, 255, 255, 255, 1, 2]]) {
    expect(() => splitHead(Uint8Array.from(record0))).toThrow(HandshakeError)
  }
})

test('requests and responses, and any two headers, have keys of their own (ATH-7.2, ATH-7.3)', async () => {
  const secret = new Uint8Array(32).fill(1)
  const [a, b] = [new Uint8Array(45).fill(1), new Uint8Array(45).fill(2)]
  const salt = new Uint8Array(17).fill(1)
  const keys = await Promise.all([
    exchangeKey(secret, 'request', a),
    exchangeKey(secret, 'request', b),
    exchangeKey(secret, 'response', a, salt),
    exchangeKey(secret, 'response', b, salt),
    exchangeKey(secret, 'response', a),
    exchangeKey(new Uint8Array(32).fill(2), 'request', a),
  ])
  expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(keys.length)
})
