import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPostgres } from '../../../../chaos/service/src/servers/postgres.ts'
import { hasRedis, redisUrl, startRedis } from '../../../../chaos/service/src/servers/redis.ts'
import { openStore } from '../../../cli/src/store/index.ts'
import { createAgent } from '../../src/agent/index.ts'
import { budget, createOperator, enforceRestriction } from '../../src/service/index.ts'
import { pairPartition } from '../../src/service/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { createUser } from '../../src/user/index.ts'
import { otherNode, sealedShop, seed } from './sealed/session.ts'
import { ASK_NOBODY, agentOf, ORIGIN, open, type Shop } from './shop.ts'

const enforcers = new Map([['order_budget', budget()]])

async function order(request: Request): Promise<Response> {
  const { searchParams } = new URL(request.url)
  await enforceRestriction(request, 'order_budget', Number(searchParams.get('amount')))
  return new Response('ordered', { status: Number(searchParams.get('then')) })
}

interface Place {
  readonly url: string
  readonly stop: () => unknown
}

const PLACES: Record<string, (() => Promise<Place>) | undefined> = {
  sqlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'athkit-nodes-'))
    return {
      url: `sqlite:${join(folder, 'ath.db')}`,
      stop: () => rmSync(folder, { recursive: true, force: true }),
    }
  },
  postgres: startPostgres,
  redis: hasRedis
    ? startRedis
    : redisUrl === undefined
      ? undefined
      : async () => ({ url: redisUrl ?? '', stop: () => undefined }),
}

describe.each(Object.entries(PLACES))('two nodes and an operator on %s', (name, start) => {
  // In CI there is one: `.ci/run` installs it.
  if (start === undefined) return test.skip(`there is no ${name} here`, () => undefined)
  let place: Place
  let opened: { store: Store; close: () => Promise<void> }[] = []
  beforeAll(async () => {
    place = await start()
    opened = [await openStore(place.url), await openStore(place.url), await openStore(place.url)]
  }, 60_000)
  afterAll(async () => {
    await Promise.all(opened.map(({ close }) => close()))
    await place?.stop()
  })

  async function world(restrictions: { order_budget?: string; rate_limit?: string } = {}) {
    const [first, second, third] = opened.map(({ store }) => store) as [Store, Store, Store]
    const { at, client } = await sealedShop(order, { enforcers }, { grant: { restrictions } }, first)
    const other = otherNode({ ...at, store: second }, order, { enforcers })
    const operator = createOperator({ store: third, by: 'alice', now: () => at.clock.now })
    return { at, other, client, operator }
  }

  test('orders at once spend what there is, and what failed is there again', {
    timeout: 30_000,
  }, async () => {
    const { at, other, client } = await world({ order_budget: '100/day' })
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        client.send('POST', `/?amount=7&then=${i % 5 === 0 ? 409 : 201}`, {
          via: i % 2 === 0 ? at : other,
          headers: [['idempotency-key', `order-${i}`]],
        }),
      ),
    )
    const placed = all.filter(({ status }) => status === 201).length
    expect(placed).toBeLessThanOrEqual(14)
    expect(placed).toBeGreaterThan(0)
    expect(all.every(({ status }) => [201, 403, 409].includes(status))).toBe(true)
    for (const via of [at, other]) {
      const refused = await client.send('POST', '/?amount=101&then=201', { via })
      expect(refused.json.message).toContain(`${7 * placed} of 100 spent, ${100 - 7 * placed} remains`)
    }
  })

  test('a suspension from outside is seen by the next request of each', { timeout: 30_000 }, async () => {
    const { at, other, client, operator } = await world()
    const second = await seed(at, { grant: { userDid: 'did:ath:another' } })
    for (const via of [at, other])
      expect(await client.send('GET', '/?then=200', { via })).toMatchObject({ status: 200 })
    expect(await operator.agents.suspend(at.agent.did, 'it ordered at night')).toBe(2)
    expect(await client.send('GET', '/?then=200', { via: other })).toMatchObject({ error: 'grant_revoked' })
    expect(await second.send('GET', '/?then=200')).toMatchObject({ error: 'grant_revoked' })
    expect(await other.service.agents.list('suspended')).toContainEqual(
      expect.objectContaining({ did: at.agent.did, by: 'alice' }),
    )
    expect(await operator.finishRevocations()).toBe(0)
  })

  test('a handshake and a session go from node to node, message by message', {
    timeout: 30_000,
  }, async () => {
    const { at, other } = await world()
    const nodes = [open({ ...at }, ASK_NOBODY), open({ ...at, store: other.store }, ASK_NOBODY)] as const
    for (const node of nodes) node.service.setApplication(() => new Response('ok'))
    let turn = 0
    const agent = createAgent({
      identity: at.agent,
      now: () => at.clock.now,
      fetch: (async (url: string, init: RequestInit) => {
        const { pathname } = new URL(url)
        const node = nodes[turn++ % 2] as Shop
        const body = init.body === undefined ? null : (init.body as BodyInit)
        return node.raw(init.method ?? 'GET', pathname, body, {
          headers: Object.fromEntries(new Headers(init.headers)),
        })
      }) as typeof fetch,
    })
    const authorization = await createUser({ identity: at.user, now: () => at.clock.now }).authorize({
      clientDid: at.agent.did,
      scopes: ['goods:read'],
      audience: at.server.did,
      expiresInSeconds: 3600,
    })
    const session = await agent.connect(ORIGIN, { authorization, scopes: ['goods:read'] })
    for (let i = 0; i < 5; i++) expect((await session.fetch('/')).status).toBe(200)
    await session.rotate()
    for (let i = 0; i < 5; i++) expect((await session.fetch('/')).status).toBe(200)
    await session.close()
    expect(turn).toBeGreaterThan(14)
  })

  test('who waits at one node hears within seconds what is answered at the other', {
    timeout: 30_000,
  }, async () => {
    const { at, other } = await world()
    const [first, second] = [open(at), open({ ...at, store: other.store })]
    const agent = await agentOf(first)
    await agent.post([agent.m3, await agent.m5()] as never)
    const waiting = agent.get(20)
    const [question] = await second.wallet.pending()
    if (question === undefined) throw new Error('no question')
    const answered = await second.wallet.post(question, (await second.wallet.respond(question)) as never)
    expect(answered.status).toBe(200)
    const startedAt = performance.now()
    expect(await waiting).toMatchObject({ status: 200 })
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })

  test('what one node has marked is a replay at the other, also of twenty at once', {
    timeout: 30_000,
  }, async () => {
    const { at, other, client } = await world()
    const { header, bytes } = await client.seal('GET', '/?then=200')
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, i) =>
        client.outcome(await client.post(bytes, { via: i % 2 === 0 ? at : other }), header),
      ),
    )
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(all.filter(({ error }) => error === 'replayed')).toHaveLength(19)
  })

  test('a rate is counted together', { timeout: 30_000 }, async () => {
    const { at, other, client } = await world({ rate_limit: '5/minute' })
    const statuses: number[] = []
    for (let i = 0; i < 8; i++) {
      statuses.push((await client.send('GET', '/?then=200', { via: i % 2 === 0 ? at : other })).status)
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429])
  })

  test('a request is one round trip, in the partition of its pair; a second one keeps an answer', {
    timeout: 30_000,
  }, async () => {
    const { at, client } = await world()
    const trips: string[] = []
    const counted: Store = {
      ...at.store,
      transact: (partition, operations, now) => {
        trips.push(partition)
        return at.store.transact(partition, operations, now)
      },
    }
    const via = otherNode({ ...at, store: counted }, () => new Response('ok'))
    // A sid that is new to the node costs a look-up; the first request under an epoch confirms it.
    await client.send('GET', '/', { via })
    await client.send('POST', '/', { via, headers: [['idempotency-key', 'first']] })
    const pair = await pairPartition(at.agent.did, at.user.did)
    trips.length = 0
    expect(await client.send('GET', '/', { via })).toMatchObject({ status: 200 })
    expect(trips).toEqual([pair])
    trips.length = 0
    const headers = [['idempotency-key', 'second']] as const
    expect(await client.send('POST', '/', { via, headers })).toMatchObject({ status: 200 })
    expect(trips).toEqual([pair, pair])
  })
})
