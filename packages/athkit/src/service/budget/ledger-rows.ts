import type { Put, Row } from '../../store/store.ts'
import type { Bookkeeping } from '../context.ts'
import type { Ledger } from './ledger.ts'

/**
 * The ledgers of one pair, as this process last saw them: a write names the version that it replaces, and is told the row that
 * stands there where it was another, so that reading one first is seldom needed.
 */
export interface LedgerRows {
  known(name: string): Ledger | undefined
  read(name: string): Promise<Ledger | undefined>
  /** Replaces what is known; it aborts its transaction where somebody else has written since. */
  put(name: string, ledger: Ledger): Put
  remember(name: string, row: Row | undefined): void
}

/** A ledger is forgotten when every period that it counted has ended. */
const KEPT_SECONDS = 40 * 86_400
const MOST_REMEMBERED = 10_000

export const keptUntil = (context: Pick<Bookkeeping, 'now'>): number => context.now() + KEPT_SECONDS

/** @param ledgers rows by pair and budget, as they were last seen */
export function ledgerRows(
  context: Pick<Bookkeeping, 'store' | 'now'>,
  partition: string,
  ledgers: Map<string, Row>,
): LedgerRows {
  const cell = (name: string) => `${partition} ${name}`
  const key = (name: string) => `budget:${name}`

  function remember(name: string, row: Row | undefined): void {
    ledgers.delete(cell(name))
    if (row === undefined) return
    if (ledgers.size >= MOST_REMEMBERED) ledgers.delete(ledgers.keys().next().value as string)
    ledgers.set(cell(name), row)
  }

  function known(name: string): Ledger | undefined {
    const row = ledgers.get(cell(name))
    return row === undefined ? undefined : (JSON.parse(row.value) as Ledger)
  }

  return {
    known,
    async read(name) {
      const operations = [{ op: 'get', key: key(name) }] as const
      const { results } = await context.store.transact(partition, operations, context.now())
      remember(name, results[0])
      return known(name)
    },
    put(name, ledger) {
      const version = ledgers.get(cell(name))?.version ?? 'absent'
      const value = JSON.stringify(ledger)
      return { op: 'put', key: key(name), value, if: version, expiresAt: keptUntil(context) }
    },
    remember,
  }
}
