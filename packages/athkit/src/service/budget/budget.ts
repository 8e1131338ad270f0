import type { Json } from '../../crypto/json.ts'
import { isTimeZone } from '../../token/access-time.ts'
import { PERIODS, type Period } from './periods.ts'

/**
 * A restriction on what is spent in all (ATH-6.4.3), registered with the service among its `enforcers`. Its value in a grant is
 * `"5000/month"`, or several joined by `", "`, which all apply; a number alone where {@link BudgetOptions.per} says of what.
 */
export interface Budget {
  readonly kind: 'budget'
  /** IANA name of the zone whose days, weeks (from Monday) and months they are. */
  readonly zone: string
  /** The limits of a value, undefined where it is none: nothing is granted under it then. */
  limitsOf(value: Json): readonly BudgetLimit[] | undefined
}

export interface BudgetLimit {
  /** Thousandths: three decimals is all that any currency in use has. */
  readonly amount: number
  readonly period: Period
}

export interface BudgetOptions {
  /** UTC without it. */
  readonly zone?: string
  /** The period of a value that is a number alone; without it such a value cannot be granted. */
  readonly per?: Period
}

/** @throws TypeError for a zone or a period that there is not */
export function budget({ zone = 'UTC', per }: BudgetOptions = {}): Budget {
  if (!isTimeZone(zone)) throw new TypeError(`budget: ${JSON.stringify(zone)} is no IANA time zone`)
  if (per !== undefined && !PERIODS.includes(per)) {
    throw new TypeError(`budget: per is one of ${PERIODS.join(', ')}, not ${JSON.stringify(per)}`)
  }
  return {
    kind: 'budget',
    zone,
    limitsOf: (value) => (typeof value === 'number' ? numberLimit(value, per) : textLimits(value)),
  }
}

function numberLimit(value: number, period: Period | undefined): readonly BudgetLimit[] | undefined {
  const amount = thousandths(value)
  return amount === undefined || period === undefined || amount / 1000 !== value
    ? undefined
    : [{ amount, period }]
}

const PART = /^((?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,3})?)\/([a-z]+)$/

function textLimits(value: Json): readonly BudgetLimit[] | undefined {
  if (typeof value !== 'string') return undefined
  const limits = value.split(', ').map((part) => {
    const [, number, name] = PART.exec(part) ?? []
    const period = PERIODS.find((known) => known === name)
    const amount = number === undefined ? undefined : thousandths(Number(number))
    return period === undefined || amount === undefined ? undefined : { amount, period }
  })
  return limits.every((limit) => limit !== undefined) ? limits : undefined
}

const MOST = 999_999_999_999.999

/**
 * An amount as it is counted, rounded to the thousandth, though never to nothing.
 *
 * @returns undefined for what is no amount: no number, negative, or too much to count
 */
export function thousandths(amount: unknown): number | undefined {
  if (typeof amount !== 'number' || !(amount >= 0 && amount <= MOST)) return undefined
  return amount > 0 ? Math.max(1, Math.round(amount * 1000)) : 0
}

/** For a person. */
export const amountOf = (counted: number): string => String(counted / 1000)
