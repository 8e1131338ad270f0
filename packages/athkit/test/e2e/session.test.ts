import { describe, expect, test } from 'vitest'
import { nobodyIsAsked, ORIGIN, shop } from './shop.ts'

const scopes = ['goods:read', 'order:create']

/** A session, and what goes wrong on its way when a test says so. */
async function connected(options: Parameters<typeof shop>[0] = {}) {
  const state = { lose: (_: string): boolean => false }
  const made = await shop({
    service: { ...nobodyIsAsked, restrictions: {}, ...options.service },
    agent: { sleep: async () => undefined, ...options.agent },
  })
  const { createAgent } = await import('../../src/agent/index.ts')
  const agent = createAgent({
    identity: made.agentParty,
    now: made.now,
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
    fetch: async (url, init) => {
      const response = await made.fetch(url, init)
      if (!state.lose(new URL(url).pathname)) return response
      await response.body?.cancel()
      throw new TypeError('connection reset')
    },
    ...options.agent,
  })
  const session = await agent.connect(ORIGIN, { authorization: await made.authorize(), scopes })
  /** The next so many sealed answers do not arrive. */
  const lose = (times: number): void => {
    let left = times
    state.lose = (path) => path === '/ath/sealed' && left-- > 0
  }
  return { ...made, session, lose }
}

const order = { json: { amount: 1 } }

describe('a session against the service', () => {
  test('a lost answer never makes a second order', async () => {
    const { session, lose, orders } = await connected()
    lose(3)
    const response = await session.request('POST /api/order', order)
    expect([response.status, await response.json()]).toEqual([201, { order: 1 }])
    expect(orders.length).toBe(1)
  })

  test('keys are changed, also where the answer was lost, and orders go on', async () => {
    const { session, lose, orders } = await connected()
    await session.request('POST /api/order', order)
    lose(2)
    expect(await session.rotate()).toBe(1)
    await session.request('POST /api/order', order)
    expect(await session.rotate()).toBe(2)
    await session.request('POST /api/order', order)
    expect(orders.length).toBe(3)
  })

  test('keys are changed by themselves, under many requests at a time', async () => {
    const { session, orders, advance } = await connected({ agent: { rotateEverySeconds: 60 } })
    for (let round = 1; round <= 3; round++) {
      await Promise.all(Array.from({ length: 50 }, () => session.request('POST /api/order', order)))
      advance(60)
    }
    expect(orders.length).toBe(150)
  })

  test('the token is renewed before its end, and after it', async () => {
    const { session, advance } = await connected({ service: { timeouts: { tokenTtl: 100 } } })
    await session.fetch('/api/goods')
    for (const seconds of [80, 500]) {
      advance(seconds)
      expect((await session.fetch('/api/goods')).status).toBe(200)
    }
    expect(await session.renew()).toBeGreaterThan(0)
  })

  test('close ends the grant', async () => {
    const { session, link } = await connected()
    await session.fetch('/api/goods')
    expect((await link.grants()).length).toBe(1)
    await session.close()
    expect(await link.grants()).toEqual([])
  })

  test('a session that lapsed is made anew, where nobody was asked', async () => {
    const { session, advance, sent } = await connected({ service: { timeouts: { provisional: 60 } } })
    advance(61)
    expect((await session.fetch('/api/goods')).status).toBe(200)
    expect(sent.filter((line) => line === 'POST /ath/handshake').length).toBe(2)
  })

  test('at the grant’s end it is made anew too; the order is still placed once', async () => {
    const { session, advance, orders } = await connected({ service: { tokenMaxTtlSeconds: 600 } })
    await session.request('POST /api/order', order)
    advance(601)
    await session.request('POST /api/order', order)
    expect(orders.length).toBe(2)
  })

  test('what ATH says itself is an error; what the application says is an answer', async () => {
    const { session } = await connected({ service: { restrictions: { rate_limit: '2/day' } } })
    await session.fetch('/api/goods')
    expect((await session.fetch('/nothing')).status).toBe(404)
    await expect(session.fetch('/api/goods')).rejects.toMatchObject({ error: 'rate_limited' })
  })

  test('bodies of a megabyte, both ways', async () => {
    const { session, service } = await connected()
    service.setApplication(async (request) => new Response(await request.arrayBuffer()))
    const body = new Uint8Array(1_000_000).map((_, i) => i % 251)
    const response = await session.fetch('/', { method: 'POST', body })
    expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(body))).toBe(true)
  })
})
