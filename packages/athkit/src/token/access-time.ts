/**
 * `access_time` (ATH-6.4.3): `"9:00-18:00"`, which may cross midnight; several, joined by `", "`, apply all at once. The zone is
 * an IANA name, UTC where none is given.
 */
export interface TimeWindow {
  /** Minutes after midnight, the end not included. */
  readonly start: number
  readonly end: number
}

export const DEFAULT_ZONE = 'UTC'

const WINDOW = /^([01]?[0-9]|2[0-3]):([0-5][0-9])-([01]?[0-9]|2[0-4]):([0-5][0-9])$/
const DAY = 1440

/** The windows of a value, undefined where it is none. */
export function parseAccessTime(value: unknown): readonly TimeWindow[] | undefined {
  if (typeof value !== 'string') return undefined
  const windows = value.split(', ').map(parseWindow)
  return windows.every((window) => window !== undefined) ? windows : undefined
}

function parseWindow(text: string): TimeWindow | undefined {
  const match = WINDOW.exec(text)
  if (match === null) return undefined
  const [startHour, startMinute, endHour, endMinute] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
  ]
  const [start, end] = [startHour * 60 + startMinute, endHour * 60 + endMinute]
  // A window without a length says nothing that two readers would read alike.
  return end > DAY || start === end ? undefined : { start, end }
}

export function formatAccessTime(windows: readonly TimeWindow[]): string {
  return windows.map(({ start, end }) => `${clock(start)}-${clock(end)}`).join(', ')
}

const clock = (minutes: number): string =>
  `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`

/** What is left when all of them apply: a window that another one lies inside of says nothing more. */
export function joinWindows(windows: readonly TimeWindow[]): readonly TimeWindow[] {
  return windows
    .filter(
      (outer, index) =>
        !windows.some((inner, other) => other !== index && implied(outer, inner, index, other)),
    )
    .sort((a, b) => a.start - b.start || a.end - b.end)
}

/** Of two that are the same, the first is kept. */
function implied(outer: TimeWindow, inner: TimeWindow, index: number, other: number): boolean {
  if (!contains(outer, inner)) return false
  return contains(inner, outer) ? other < index : true
}

function contains(outer: TimeWindow, inner: TimeWindow): boolean {
  // Seen from the start of the outer one, no window crosses midnight.
  const shift = (minutes: number) => (minutes - outer.start + DAY) % DAY
  const length = shift(outer.end) || DAY
  const start = shift(inner.start)
  const end = start + ((inner.end - inner.start + DAY) % DAY || DAY)
  return end <= length
}

export function isTimeZone(zone: unknown): zone is string {
  if (typeof zone !== 'string') return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined
  } catch {
    return false
  }
}

/** Whether every window is open. @param now Unix seconds */
export function isOpen(windows: readonly TimeWindow[], zone: string, now: number): boolean {
  const minutes = minutesOfDay(zone, now)
  return windows.every(({ start, end }) =>
    start < end ? minutes >= start && minutes < end : minutes >= start || minutes < end,
  )
}

function minutesOfDay(zone: string, now: number): number {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
  })
  const parts = new Map(format.formatToParts(now * 1000).map(({ type, value }) => [type, Number(value)]))
  return (parts.get('hour') ?? 0) * 60 + (parts.get('minute') ?? 0)
}

/** The time of day there, for a person: `"18:05 (Asia/Shanghai)"`. @param now Unix seconds */
export function timeIn(zone: unknown, now: number): string {
  const known = isTimeZone(zone) ? zone : DEFAULT_ZONE
  return `${clock(minutesOfDay(known, now))} (${known})`
}
