import type { RateLimit } from './store.ts'

/** For each window, by its length in seconds, the events that were admitted: so a long window does not keep what a short one needs. */
export type Events = readonly (readonly [windowSeconds: number, buckets: Buckets])[]

/** Unix milliseconds and how many, oldest first. */
type Buckets = readonly (readonly [bucketEndMs: number, count: number])[]

/** Buckets in a window: an event counts until the end of its bucket has left the window, so never fewer than an exact window has. */
const BUCKETS = 60

/**
 * Admits one event against sliding windows (ATH-6.4.3), or says how long to wait. It can refuse an event that an exact window would
 * admit, by a sixtieth of the window at most, and never the other way. Windows that others have counted in go on being counted.
 */
export function admit(
  before: Events,
  limits: readonly RateLimit[],
  nowMs: number,
): { readonly events: Events | undefined; readonly retryAfter: number } {
  const windows = new Map<number, Window>()
  for (const [seconds] of before) windows.set(seconds, openWindow(before, seconds, nowMs))
  let retryAfter = 0
  for (const { limit, windowSeconds } of limits) {
    const window = windows.get(windowSeconds) ?? openWindow(before, windowSeconds, nowMs)
    windows.set(windowSeconds, window)
    const { buckets, now } = window
    let excess = buckets.reduce((sum, [, count]) => sum + count, 0) - limit + 1
    for (const [end, count] of buckets) {
      if (excess <= 0) break
      excess -= count
      retryAfter = Math.max(retryAfter, Math.ceil((end + windowSeconds * 1000 - now) / 1000), 1)
    }
  }
  if (retryAfter > 0) return { events: undefined, retryAfter }
  const limited = new Set(limits.map(({ windowSeconds }) => windowSeconds))
  const events: (readonly [number, Buckets])[] = []
  for (const [seconds, window] of windows) {
    if (limited.has(seconds) || window.buckets.length > 0) events.push([seconds, withOneMore(window)])
  }
  return { events, retryAfter: 0 }
}

interface Window {
  readonly widthMs: number
  readonly now: number
  readonly buckets: Buckets
}

/** A window that nobody has counted in yet begins with what the longest one knows. */
function openWindow(before: Events, seconds: number, nowMs: number): Window {
  const known = before.find(([other]) => other === seconds) ?? longestOf(before)
  const widthMs = Math.max(1, Math.floor((seconds * 1000) / BUCKETS))
  const last = known?.[1].at(-1)?.[0]
  // A clock that steps back must not make room.
  const now = last === undefined ? nowMs : Math.max(nowMs, last - (known?.[0] ?? 0) * (1000 / BUCKETS))
  return { widthMs, now, buckets: (known?.[1] ?? []).filter(([end]) => end > now - seconds * 1000) }
}

function longestOf(events: Events): Events[number] | undefined {
  let longest: Events[number] | undefined
  for (const each of events) if (longest === undefined || each[0] > longest[0]) longest = each
  return longest
}

function withOneMore({ widthMs, now, buckets }: Window): Buckets {
  const end = (Math.floor(now / widthMs) + 1) * widthMs
  const last = buckets.at(-1)
  return last !== undefined && last[0] >= end
    ? [...buckets.slice(0, -1), [last[0], last[1] + 1]]
    : [...buckets, [end, 1]]
}
