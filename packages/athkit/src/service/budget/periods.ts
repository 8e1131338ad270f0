/** What a budget is for: a calendar period in the budget's own zone; hours are UTC's, which no clock change repeats. */
export const PERIODS = ['hour', 'day', 'week', 'month'] as const
export type Period = (typeof PERIODS)[number]

/** By period: which one it is now. Of two keys the later is the greater text. */
export type PeriodKeys = Readonly<Record<Period, string>>

const HOUR = 3600

/** @param now Unix seconds */
export function periodsAt(zone: string, now: number): PeriodKeys {
  const today = localDate(zone, now)
  return {
    hour: new Date(now * 1000).toISOString().slice(0, 13),
    day: textOf(today),
    week: textOf(mondayOf(today)),
    month: textOf(today).slice(0, 7),
  }
}

/** Unix seconds: when the period ends, for a person to read; what counts is the key. */
export function endOf(period: Period, zone: string, now: number): number {
  if (period === 'hour') return (Math.floor(now / HOUR) + 1) * HOUR
  const { year, month, day } = localDate(zone, now)
  if (period === 'day') return midnight(zone, Date.UTC(year, month - 1, day + 1))
  if (period === 'month') return midnight(zone, Date.UTC(year, month, 1))
  const monday = mondayOf({ year, month, day })
  return midnight(zone, Date.UTC(monday.year, monday.month - 1, monday.day + 7))
}

interface LocalDate {
  readonly year: number
  /** From 1. */
  readonly month: number
  readonly day: number
}

function localDate(zone: string, now: number): LocalDate {
  const parts = partsIn(zone, now)
  return { year: parts.get('year') ?? 0, month: parts.get('month') ?? 0, day: parts.get('day') ?? 0 }
}

const textOf = ({ year, month, day }: LocalDate): string =>
  `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`

function mondayOf({ year, month, day }: LocalDate): LocalDate {
  const date = new Date(Date.UTC(year, month - 1, day))
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7))
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }
}

/** When clocks there show midnight of that date. @param utc milliseconds, the same date's midnight in UTC */
function midnight(zone: string, utc: number): number {
  const wanted = utc / 1000
  const near = wanted - offsetAt(zone, wanted)
  return wanted - offsetAt(zone, near)
}

/** Seconds that clocks there are ahead of UTC. */
function offsetAt(zone: string, now: number): number {
  const part = partsIn(zone, now)
  const [year = 0, month = 0, day = 0] = [part.get('year'), part.get('month'), part.get('day')]
  const [hour = 0, minute = 0] = [part.get('hour'), part.get('minute')]
  return Date.UTC(year, month - 1, day, hour, minute) / 1000 - Math.floor(now / 60) * 60
}

const formats = new Map<string, Intl.DateTimeFormat>()

function partsIn(zone: string, now: number): ReadonlyMap<string, number> {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat('en', {
      timeZone: zone,
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      hourCycle: 'h23',
    })
  formats.set(zone, format)
  return new Map(format.formatToParts(now * 1000).map(({ type, value }) => [type, Number(value)]))
}
