import type { BudgetLimit } from './budget.ts'
import { PERIODS, type Period, type PeriodKeys } from './periods.ts'

/**
 * What a pair has spent under one budget, row `budget:NAME`: the sum of each period that is running. Every period is counted,
 * whichever the grant of the day limits, so that a stricter grant finds what was spent before it.
 */
export type Ledger = Readonly<Record<Period, { readonly key: string; readonly sum: number }>>

/** An amount that is counted, and in which periods. */
export interface Entry {
  readonly name: string
  /** Thousandths. */
  readonly amount: number
  readonly keys: PeriodKeys
}

/** Of several limits that an amount does not fit into, the one with the least left. */
export interface Short {
  readonly limit: BudgetLimit
  /** Thousandths, reserved amounts among them. */
  readonly spent: number
  readonly left: number
}

/**
 * The ledger as of now: a period that has ended counts no more. A clock that is behind does not bring one back: what it counts goes
 * into the one that runs.
 */
export function ledgerAt(before: Ledger | undefined, keys: PeriodKeys): Ledger {
  const now = (period: Period) => {
    const known = before?.[period]
    return known === undefined || known.key < keys[period] ? { key: keys[period], sum: 0 } : known
  }
  return { hour: now('hour'), day: now('day'), week: now('week'), month: now('month') }
}

export const keysOf = ({ hour, day, week, month }: Ledger): PeriodKeys => ({
  hour: hour.key,
  day: day.key,
  week: week.key,
  month: month.key,
})

/** @returns why not, undefined when the amount fits into every limit */
export function shortOf(ledger: Ledger, limits: readonly BudgetLimit[], amount: number): Short | undefined {
  const short = limits
    .map((limit) => {
      const spent = ledger[limit.period].sum
      return { limit, spent, left: Math.max(0, limit.amount - spent) }
    })
    .filter(({ left }) => left < amount)
  return short.sort((a, b) => a.left - b.left)[0]
}

export const spend = (ledger: Ledger, amount: number): Ledger => change(ledger, keysOf(ledger), amount)

/** Takes an amount back out of the periods that it was counted in, as far as they still run. */
export const giveBack = (ledger: Ledger, { amount, keys }: Entry): Ledger => change(ledger, keys, -amount)

function change(ledger: Ledger, keys: PeriodKeys, amount: number): Ledger {
  const next = { ...ledger }
  for (const period of PERIODS) {
    const { key, sum } = ledger[period]
    if (key === keys[period]) next[period] = { key, sum: Math.max(0, sum + amount) }
  }
  return next
}
