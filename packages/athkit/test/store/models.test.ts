import fc from 'fast-check'
import { expect, test } from 'vitest'
import { admit, type Events } from '../../src/store/rate.ts'
import { decodeWindow, emptyWindow, encodeWindow, mark } from '../../src/store/window.ts'

test('the window says what a set of all marks would say (ATH-7.6)', () => {
  const near = fc.integer({ min: 0, max: 3000 })
  const far = fc.integer({ min: Number.MAX_SAFE_INTEGER - 2000, max: Number.MAX_SAFE_INTEGER })
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 9, arbitrary: near }, { weight: 1, arbitrary: far }), { maxLength: 200 }),
      (seqs) => {
        const seen = new Set<number>()
        let top = -1
        let window = emptyWindow
        for (const seq of seqs) {
          const expected = !seen.has(seq) && seq > top - 1024
          const marked = mark(decodeWindow(encodeWindow(window)), seq)
          expect(marked.fresh).toBe(expected)
          window = marked.window
          if (expected) seen.add(seq)
          top = expected ? Math.max(top, seq) : top
        }
      },
    ),
  )
})

test('the rate never admits more than an exact sliding window would, also when the clock steps back (ATH-6.4.3)', () => {
  const limits = fc.uniqueArray(
    fc.record({ limit: fc.integer({ min: 1, max: 6 }), windowSeconds: fc.constantFrom(1, 60, 3600) }),
    {
      minLength: 1,
      maxLength: 2,
      selector: ({ windowSeconds }) => windowSeconds,
    },
  )
  const steps = fc.array(fc.integer({ min: -50, max: 30_000 }), { maxLength: 120 })
  fc.assert(
    fc.property(limits, steps, (all, gaps) => {
      let events: Events = []
      let now = 1_717_200_000_000
      const admitted: number[] = []
      for (const gap of gaps) {
        now += gap
        const answer = admit(events, all, now)
        expect(answer.events === undefined).toBe(answer.retryAfter > 0)
        if (answer.events === undefined) continue
        events = answer.events
        admitted.push(now)
        for (const { limit, windowSeconds } of all) {
          const inside = admitted.filter((at) => at > now - windowSeconds * 1000 && at <= now)
          expect(inside.length).toBeLessThanOrEqual(limit)
        }
      }
    }),
  )
})

test('whoever waits for as long as they were told is admitted', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(1, 60, 3600),
      fc.nat(999),
      (limit, windowSeconds, ms) => {
        let events: Events = []
        const limits = [{ limit, windowSeconds }]
        const now = 1_717_200_000_000 + ms
        for (let i = 0; i < limit; i++) events = admit(events, limits, now).events ?? []
        const { retryAfter } = admit(events, limits, now)
        expect(admit(events, limits, now + retryAfter * 1000).events).toBeDefined()
      },
    ),
  )
})

test('a long window beside a short one is not kept in short buckets', () => {
  const limits = [
    { limit: 10, windowSeconds: 1 },
    { limit: 100_000, windowSeconds: 86_400 },
  ]
  let events: Events = []
  for (let i = 0; i < 5000; i++) events = admit(events, limits, 1_717_200_000_000 + i * 120).events ?? []
  expect(events.map(([seconds]) => seconds)).toEqual([1, 86_400])
  expect(events.every(([, buckets]) => buckets.length <= 61)).toBe(true)
  expect(events[1]?.[1].reduce((sum, [, count]) => sum + count, 0)).toBe(5000)
})

test('a window that nobody has counted in yet begins with what another one knows', () => {
  const minute = [{ limit: 5, windowSeconds: 60 }]
  let events: Events = []
  for (let i = 0; i < 5; i++) events = admit(events, minute, 1_717_200_000_000).events ?? []
  const both = [...minute, { limit: 5, windowSeconds: 10 }]
  expect(admit(events, [{ limit: 5, windowSeconds: 10 }], 1_717_200_000_500).events).toBeUndefined()
  const later = admit(events, [{ limit: 9, windowSeconds: 10 }], 1_717_200_012_000).events ?? []
  // The minute's own count went on meanwhile.
  expect(admit(later, both, 1_717_200_012_000).events).toBeUndefined()
})
