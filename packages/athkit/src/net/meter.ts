const MINUTE_MS = 60_000
const MOST_GROUPS = 50_000

/**
 * Counts events by group, such as {@link addressGroup}, in bounded memory: a bucket for each that holds a minute's worth and fills
 * steadily.
 *
 * @returns a function that counts one event; it gives the seconds to wait, 0 when the event is admitted
 */
export function createMeter(perMinute: number, nowMs: () => number): (group: string) => number {
  if (perMinute === Number.POSITIVE_INFINITY) return () => 0
  const buckets = new Map<string, { left: number; at: number }>()
  return (group) => {
    const now = nowMs()
    const bucket = buckets.get(group) ?? { left: perMinute, at: now }
    const left = Math.min(perMinute, bucket.left + (Math.max(0, now - bucket.at) * perMinute) / MINUTE_MS)
    const admitted = left >= 1
    buckets.delete(group)
    if (buckets.size >= MOST_GROUPS) buckets.delete(buckets.keys().next().value as string)
    buckets.set(group, { left: admitted ? left - 1 : left, at: now })
    return admitted ? 0 : Math.max(1, Math.ceil(((1 - left) * MINUTE_MS) / perMinute / 1000))
  }
}
