import type { Row, Store } from '../store/store.ts'

/**
 * How chains lie in a store.
 *
 * | partition       | keys                                                                    |
 * |-----------------|-------------------------------------------------------------------------|
 * | `audit`         | `chain:PROCESS`: there is a chain of that name                          |
 * | `audit:PROCESS` | `head` (a {@link HeadRow}), `entry:SEQ`, `signed:SEQ` (signed heads)    |
 */
export const CHAINS = 'audit'
export const chainPartition = (process: string) => `audit:${process}`
export const chainKey = (process: string) => `chain:${process}`

/** The end of a chain. Whoever makes it longer replaces this row in its version: so there is one writer at a time. */
export interface HeadRow {
  /** How many entries there are. */
  readonly count: number
  /** base64url; of the last entry. */
  readonly hash: string
  /** The records that were added last: until the next ones are, they may still lie in an outbox. */
  readonly ids: readonly string[]
}

const DIGITS = 12
export const entryKey = (seq: number) => `entry:${String(seq).padStart(DIGITS, '0')}`
export const signedKey = (seq: number) => `signed:${String(seq).padStart(DIGITS, '0')}`

export type KeyedRow = Row & { readonly key: string }

const PAGE = 1000
const ALPHABET = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'

/** All rows whose keys begin with `prefix` and go on in base64url, in the order of their keys. */
export async function* listAll(
  store: Store,
  partition: string,
  prefix: string,
  now: number,
): AsyncGenerator<KeyedRow> {
  const { results } = await store.transact(partition, [{ op: 'list', prefix, limit: PAGE }], now)
  const page = results[0] ?? []
  if (page.length < PAGE) yield* page
  else {
    // A list has no second page, so what is too much for one is listed by its next character.
    const own = page.find(({ key }) => key === prefix)
    if (own !== undefined) yield own
    for (const next of ALPHABET) yield* listAll(store, partition, prefix + next, now)
  }
}

/** The rows of `count` entries from the first on: what comes later is not waited for. */
export async function* entriesUpTo(
  store: Store,
  process: string,
  count: number,
  now: number,
): AsyncGenerator<KeyedRow> {
  for (let thousand = 0; thousand * PAGE < count; thousand++) {
    const prefix = `entry:${String(thousand).padStart(DIGITS - 3, '0')}`
    const list = { op: 'list', prefix, limit: PAGE } as const
    const { results } = await store.transact(chainPartition(process), [list], now)
    for (const row of results[0] ?? []) if (Number(row.key.slice('entry:'.length)) < count) yield row
  }
}
