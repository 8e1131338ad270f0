import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPostgres } from '../../../../chaos/service/src/servers/postgres.ts'
import { hasRedis, redisUrl, startRedis } from '../../../../chaos/service/src/servers/redis.ts'
import { openStore } from '../../../cli/src/store/index.ts'
import { budget, createOperator, enforceRestriction } from '../../src/service/index.ts'
import type { Store } from '../../src/store/store.ts'
import { otherNode, sealedShop, seed } from './sealed/session.ts'

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

  async function world(restrictions: { order_budget?: string } = {}) {
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
})
