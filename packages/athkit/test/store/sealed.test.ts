import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { memory } from '../../src/store/memory.ts'
import { sealed } from '../../src/store/sealed.ts'
import type { Store } from '../../src/store/store.ts'
import { storeContract } from '../../src/store/testing.ts'

const NOW = 1_717_200_000
const SECRET = 'what nobody may read at rest'
const [one, two] = [randomBytes(32), randomBytes(32)]

const put = (key: string, value = SECRET) => ({ op: 'put', key, value }) as const

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const read = async (store: Store, partition: string, key: string) =>
  (await store.transact(partition, [{ op: 'get', key }], NOW)).results[0]?.value

/** A sealed row, and what its value is below. */
async function oneRow() {
  const below = memory()
  const store = sealed(below, { key: one })
  await store.transact('p', [put('k')], NOW)
  const [row] = await all(below.rows())
  return { below, store, value: row?.value ?? '' }
}

describe('a store that is encrypted at rest', () => {
  for (const { name, run } of storeContract(async () => sealed(memory(), { key: one }))) test(name, run)

  test('rows and entries are not to be read below it', async () => {
    const { below, store } = await oneRow()
    await store.transact('p', [{ op: 'append', id: 'e', value: SECRET }], NOW)
    const kept = JSON.stringify([await all(below.rows()), await all(below.outbox())])
    expect(kept).not.toContain(SECRET)
    expect(kept).not.toContain(Buffer.from(SECRET).toString('base64url').slice(4, -4))
    expect(await read(store, 'p', 'k')).toBe(SECRET)
    expect((await all(store.outbox()))[0]?.value).toBe(SECRET)
  })

  test('the same value twice is not the same below it', async () => {
    const { below, store } = await oneRow()
    await store.transact('p', [put('l')], NOW)
    expect(new Set((await all(below.rows())).map(({ value }) => value)).size).toBe(2)
  })

  test.each([
    ['another key', 'p', 'other'],
    ['another partition', 'q', 'k'],
  ])('a row in the place of %s is refused', async (_, partition, key) => {
    const { below, store, value } = await oneRow()
    await below.transact(partition, [put(key, value)], NOW)
    await expect(read(store, partition, key)).rejects.toThrow(/changed, or stands where it was not written/)
  })

  test('an entry of the outbox in the place of a row is refused', async () => {
    const { below, store } = await oneRow()
    await store.transact('p', [{ op: 'append', id: 'k', value: SECRET }], NOW)
    const [entry] = await all(below.outbox())
    await below.transact('p', [put('k', entry?.value)], NOW)
    await expect(read(store, 'p', 'k')).rejects.toMatchObject({ trouble: 'store_unavailable' })
  })

  test.each([
    [
      'a byte',
      (value: string) => value.replace(/.{8}$/, (end) => (end[0] === 'A' ? 'B' : 'A') + end.slice(1)),
    ],
    ['the end', (value: string) => value.slice(0, -6)],
    ['all', (value: string) => value.replace(/[^:]+$/, '')],
  ])('a value of which somebody changed %s is refused', async (_, change) => {
    const { below, store, value } = await oneRow()
    await below.transact('p', [put('k', change(value))], NOW)
    await expect(read(store, 'p', 'k')).rejects.toMatchObject({ trouble: 'store_unavailable' })
  })

  test('a value that is not sealed is refused, unless the operator accepts those for a while', async () => {
    const below = memory()
    await below.transact('p', [put('k', 'plain')], NOW)
    await expect(read(sealed(below, { key: one }), 'p', 'k')).rejects.toThrow(/not sealed/)
    const store = sealed(below, { key: one, acceptUnsealedValues: true })
    expect(await read(store, 'p', 'k')).toBe('plain')
    expect(await store.reseal(NOW)).toEqual({ rows: 1, outbox: 0 })
    expect(await read(sealed(below, { key: one }), 'p', 'k')).toBe('plain')
  })

  test('another key: what the former one sealed opens, and is sealed anew by writing it or all at once', async () => {
    const { below, store: before } = await oneRow()
    await before.transact(
      'p',
      [
        { ...put('l'), expiresAt: NOW + 60 },
        { op: 'append', id: 'e', value: '' },
      ],
      NOW,
    )
    await expect(read(sealed(below, { key: two }), 'p', 'k')).rejects.toThrow(/a key that was not given/)
    const store = sealed(below, { key: two, formerKeys: [one] })
    expect(await read(store, 'p', 'k')).toBe(SECRET)
    await store.transact('p', [put('k', 'written anew')], NOW)
    expect(await store.reseal(NOW)).toEqual({ rows: 1, outbox: 1 })
    expect(await store.reseal(NOW)).toEqual({ rows: 0, outbox: 1 })
    const after = sealed(below, { key: two })
    expect([await read(after, 'p', 'k'), await read(after, 'p', 'l')]).toEqual(['written anew', SECRET])
    expect((await all(after.rows())).map(({ expiresAt }) => expiresAt)).toContain(NOW + 60)
  })

  test('a row that a request changes while all are sealed anew is not put back', async () => {
    const { below } = await oneRow()
    async function* rows() {
      for await (const row of below.rows()) {
        await sealed(below, { key: two }).transact('p', [put('k', 'new')], NOW)
        yield row
      }
    }
    const store = sealed({ ...below, rows }, { key: two, formerKeys: [one] })
    expect(await store.reseal(NOW)).toEqual({ rows: 0, outbox: 0 })
    expect(await read(store, 'p', 'k')).toBe('new')
  })

  test('a key that is none is refused, and so is a former one', () => {
    expect(() => sealed(memory(), { key: new Uint8Array(16) })).toThrow(/32 random bytes/)
    expect(() => sealed(memory(), { key: one, formerKeys: [new Uint8Array()] })).toThrow(TypeError)
  })
})
