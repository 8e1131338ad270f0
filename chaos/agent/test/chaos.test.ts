import { describe, expect, test, vi } from 'vitest'
import { FAULTS, randomPlan } from '../src/faults.ts'
import { heapAfter } from '../src/heap.ts'
import { load } from '../src/load.ts'
import { createRequestCutter } from '../src/requests.ts'
import { runMany } from '../src/runs.ts'

vi.spyOn(console, 'warn').mockImplementation(() => undefined)

describe('the proxy', () => {
  test('the same seed harms the same messages in the same way', () => {
    const fates = (seed: number) => Array.from({ length: 50 }, (_, message) => randomPlan(seed, 0.5)(message))
    expect(fates(7)).toEqual(fates(7))
    expect(fates(7)).not.toEqual(fates(8))
    const faults = fates(7).flatMap(({ request, answer }) => [request.fault, answer.fault])
    expect(new Set(faults)).toEqual(new Set([undefined, ...FAULTS]))
  })

  test('requests are cut out of the stream wherever it breaks', () => {
    const first = 'POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello'
    const second = 'POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
    const third = 'GET /c HTTP/1.1\r\nHost: x\r\n\r\n'
    const all = Buffer.from(first + second + third)
    for (let size = 1; size < all.length; size += 7) {
      const { push } = createRequestCutter()
      const cut: string[] = []
      for (let at = 0; at < all.length; at += size) {
        cut.push(...push(all.subarray(at, at + size)).map((request) => request.toString()))
      }
      expect(cut).toEqual([first, second, third])
    }
  })
})

/** The thousand are `npm run chaos:agent`. */
test('an agent through a proxy that drops, delays, doubles, resets and half-closes: a correct session or one clear error', async () => {
  const seeds = Array.from({ length: 48 }, (_, seed) => seed)
  const summary = await runMany(seeds, 16)
  expect(summary.violations).toEqual([])
  expect(summary.runs).toBe(48)
  expect(summary.faults).toBeGreaterThan(100)
  // Most runs come through all of it; fewer on a machine so slow that answers come too late by themselves.
  expect(summary.ended.get('session')).toBeGreaterThan(12)
}, 120_000)

/** Ten thousand of them are `npm run chaos:agent -- load`. */
test('many sealed requests at a time, across three rotations: each is answered once and placed once', async () => {
  const { answered, orders, strangers, epochs } = await load(800, 3)
  expect({ answered, strangers, epochs }).toEqual({ answered: 800, strangers: 0, epochs: [1, 2, 3] })
  expect(orders.length).toBe(800)
  expect(new Set(orders).size).toBe(800)
}, 60_000)

/** A hundred thousand are `npm run chaos:agent -- heap`. */
test('what an agent holds does not grow with its requests', async () => {
  const compiled = new URL('../dist/heap-agent.js', import.meta.url)
  const [early = 0, late = 0] = await heapAfter([1500, 3000], compiled)
  expect(early).toBeGreaterThan(1e6)
  // Bytes a request: anything of one that is held on to weighs more. The percentage is for runs that are longer than the warming up.
  expect((late - early) / 1500).toBeLessThan(600)
}, 120_000)
