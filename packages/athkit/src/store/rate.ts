import type { RateLimit } from './store.ts'

/** The times of events that were admitted, Unix milliseconds in bucket starts, oldest first. */
export type Events = readonly (readonly [bucketEndMs: number, count: number])[]

/** Buckets in a window: an event counts until the end of its bucket has left the window, so never fewer than an exact window has. */
const BUCKETS = 60

/**
 * Admits one event against sliding windows (ATH-6.4.3), or says how long to wait. It can refuse an event that an exact window would
 * admit, by a sixtieth of the window at most, and never the other way.
 */
export function admit(
  before: Events,
  limits: readonly RateLimit[],
  nowMs: number,
): { readonly events: Events | undefined; readonly retryAfter: number } {
  const longest = Math.max(0, ...limits.map(({ windowSeconds }) => windowSeconds * 1000))
  const shortest = Math.min(...limits.map(({ windowSeconds }) => windowSeconds * 1000))
  // A clock that steps back must not make room.
  const now = Math.max(nowMs, (before.at(-1)?.[0] ?? nowMs) - shortest / BUCKETS)
  const kept = before.filter(([end]) => end > now - longest)
  let retryAfter = 0
  for (const { limit, windowSeconds } of limits) {
    const inside = kept.filter(([end]) => end > now - windowSeconds * 1000)
    let excess = inside.reduce((sum, [, count]) => sum + count, 0) - limit + 1
    for (const [end, count] of inside) {
      if (excess <= 0) break
      excess -= count
      retryAfter = Math.max(retryAfter, Math.ceil((end + windowSeconds * 1000 - now) / 1000), 1)
    }
  }
  if (retryAfter > 0) return { events: undefined, retryAfter }
  const width = Math.max(1, Math.floor(shortest / BUCKETS))
  const end = (Math.floor(now / width) + 1) * width
  const last = kept.at(-1)
  const events: Events =
    last !== undefined && last[0] >= end
      ? [...kept.slice(0, -1), [last[0], last[1] + 1]]
      : [...kept, [end, 1]]
  return { events, retryAfter: 0 }
}
