import { AthError } from '../../errors.ts'
import type { Operation, PutResult } from '../../store/store.ts'
import type { Bookkeeping } from '../context.ts'
import { type Entry, giveBack } from './ledger.ts'
import type { LedgerRows } from './ledger-rows.ts'

export const holdKey = (id: string) => `${HOLD_PREFIX}${id}`
export const HOLD_PREFIX = 'hold:'

/** Row `hold:ID`: what a request has reserved and not settled. */
export interface HoldRow {
  readonly entries: readonly Entry[]
  readonly grantId: string
  /** Unix seconds. */
  readonly at: number
}

const MOST_TRIES = 100

/**
 * Takes a hold, which exactly one caller can, and with it gives back what it had reserved; repeated where an order came between.
 *
 * @param others what else is written with it, also where the hold was gone
 * @param told what is written where it was there
 * @returns whether it was there
 * @throws AthError `store_unavailable`
 */
export async function refund(
  context: Pick<Bookkeeping, 'store' | 'now'>,
  partition: string,
  rows: LedgerRows,
  { id, entries }: { readonly id: string; readonly entries: readonly Entry[] },
  others: readonly Operation[] = [],
  told: readonly Operation[] = [],
): Promise<boolean> {
  const names = [...new Set(entries.map(({ name }) => name))]
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const operations: Operation[] = [...others, { op: 'take', key: holdKey(id), onRefusal: 'stop' }]
    const putAt = new Map<string, number>()
    for (const name of names) {
      const ledger = rows.known(name) ?? (await rows.read(name))
      if (ledger === undefined) continue
      putAt.set(name, operations.length)
      const own = entries.filter((entry) => entry.name === name)
      operations.push(rows.put(name, own.reduce(giveBack, ledger)))
    }
    const { outcome, results } = await context.store.transact(
      partition,
      [...operations, ...told],
      context.now(),
    )
    if (outcome === 'stopped') return false
    for (const [name, at] of putAt) {
      const written = results[at] as PutResult | undefined
      if (written !== undefined) rows.remember(name, written.row)
    }
    if (outcome === 'done') return true
  }
  throw contended()
}

export const contended = () => new AthError('store_unavailable', 'a budget is written again and again')
