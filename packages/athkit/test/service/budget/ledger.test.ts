import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { budget, thousandths } from '../../../src/service/budget/budget.ts'
import {
  type Entry,
  giveBack,
  keysOf,
  type Ledger,
  ledgerAt,
  shortOf,
  spend,
} from '../../../src/service/budget/ledger.ts'
import { PERIODS, periodsAt } from '../../../src/service/budget/periods.ts'

describe('a ledger', () => {
  const START = Date.parse('2024-01-30T22:00:00Z') / 1000
  const step = fc.record({
    seconds: fc.integer({ min: 0, max: 5 * 3600 }),
    amount: fc.integer({ min: 1, max: 900 }),
    /** Which of the open entries is given back, if any. */
    refund: fc.option(fc.nat(20)),
  })

  test('says what a list of all that was spent and not given back would say', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const limits = budget().limitsOf('1/hour, 2/day, 3/week, 4/month') ?? []
        let ledger: Ledger | undefined
        let now = START
        const open: (Entry & { readonly at: number })[] = []
        for (const { seconds, amount, refund } of steps) {
          now += seconds
          const keys = periodsAt('UTC', now)
          const current = ledgerAt(ledger, keys)
          const sums = PERIODS.map((period) =>
            open
              .filter((entry) => entry.keys[period] === keys[period])
              .reduce((sum, entry) => sum + entry.amount, 0),
          )
          expect(PERIODS.map((period) => current[period].sum)).toEqual(sums)
          const fits = limits.every(
            ({ amount: most, period }) => (sums[PERIODS.indexOf(period)] ?? 0) + amount <= most,
          )
          expect(shortOf(current, limits, amount) === undefined).toBe(fits)
          if (fits) {
            ledger = spend(current, amount)
            open.push({ name: 'order_budget', amount, keys: keysOf(current), at: now })
          }
          const [returned] = refund === null ? [] : open.splice(refund, 1)
          if (returned !== undefined && ledger !== undefined) ledger = giveBack(ledger, returned)
        }
      }),
      { numRuns: 200, seed: 46 },
    )
  })
})

describe('amounts are counted in thousandths', () => {
  test.each<[unknown, number | undefined]>([
    [0, 0],
    [-0, 0],
    [1, 1000],
    [0.1 + 0.2, 300],
    [19.99, 19_990],
    [0.0001, 1],
    [Number.MIN_VALUE, 1],
    [999_999_999_999.999, 999_999_999_999_999],
    [1e12, undefined],
    [-0.001, undefined],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
    ['5', undefined],
    [5n, undefined],
    [null, undefined],
  ])('%s', (amount, counted) => {
    expect(thousandths(amount) === counted).toBe(true)
  })
})
