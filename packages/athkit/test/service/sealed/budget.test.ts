import { describe, expect, test } from 'vitest'
import { exportAudit } from '../../../src/audit/index.ts'
import type { JsonObject } from '../../../src/crypto/json.ts'
import { AthError } from '../../../src/errors.ts'
import { budget, commitSpending, enforceRestriction } from '../../../src/service/index.ts'
import type { Operation, Store } from '../../../src/store/store.ts'
import { ASK_NOBODY, agentOf, NOW, shop } from '../shop.ts'
import { otherNode, rowsOf, type SendOptions, sealedShop, seed, tokenFor } from './session.ts'

const enforcers = new Map([
  ['order_budget', budget()],
  ['monthly_budget', budget({ per: 'month', zone: 'Asia/Shanghai' })],
])

/** Places an order of `?amount=`; `?then=` says what becomes of it. */
async function order(request: Request): Promise<Response> {
  const { searchParams } = new URL(request.url)
  const amount = Number(searchParams.get('amount'))
  for (const name of (searchParams.get('of') ?? 'order_budget').split(',')) {
    await enforceRestriction(request, name, amount)
  }
  const then = searchParams.get('then') ?? '201'
  if (then.includes('commit')) commitSpending(request)
  if (then.includes('throw')) throw new Error('in the middle of it')
  return new Response('ordered', { status: Number(then.replace(/\D/g, '')) })
}

const shopWith = (restrictions: JsonObject, application = order, store?: Store) =>
  sealedShop(application, { enforcers }, { grant: { restrictions, expiresAt: NOW + 90 * 86_400 } }, store)

const EXHAUSTED = { outer: 200, status: 403, error: 'restriction_violated', ath: true }
const post = (client: Awaited<ReturnType<typeof seed>>, query: string, options: SendOptions = {}) =>
  client.send('POST', `/api/order?${query}`, options)
const under = (key: string): SendOptions => ({ headers: [['idempotency-key', key]], body: 'order' })
/** Another session of the same pair, begun now. */
const sessionOf = (
  at: Parameters<typeof seed>[0],
  { grant: { restrictions } }: Awaited<ReturnType<typeof seed>>,
) => seed(at, { grant: { restrictions, expiresAt: NOW + 90 * 86_400 } })

describe('a budget (ATH-6.4.3)', () => {
  test('is spent by all sessions of the pair, on all nodes; a refusal says what remains, and until when', async () => {
    const { at, client } = await shopWith({ order_budget: '5000/day' })
    const other = await seed(at, { grant: { restrictions: { order_budget: '5000/day' } } })
    expect(await post(client, 'amount=4000')).toMatchObject({ status: 201 })
    expect(await post(other, 'amount=999', { via: otherNode(at, order, { enforcers }) })).toMatchObject({
      status: 201,
    })
    const refused = await post(client, 'amount=2')
    expect(refused).toMatchObject(EXHAUSTED)
    expect(refused.json.message).toContain('4999 of 5000 spent, 1 remains until 2024-06-02T00:00:00Z')
    expect(await post(client, 'amount=1')).toMatchObject({ status: 201 })
    expect(await post(client, 'amount=0.001')).toMatchObject(EXHAUSTED)
    expect(await post(client, 'amount=0')).toMatchObject({ status: 201 })
  })

  test('of several limits all apply, each over its own period', async () => {
    const { at, client } = await shopWith({ order_budget: '10/hour, 25/day, 1000/month' })
    const spendable = async () => {
      let spent = 0
      while ((await post(client, 'amount=5')).status === 201) spent += 5
      return spent
    }
    const renewed = async () => tokenFor(at, client.grant, client.session)
    expect(await spendable()).toBe(10)
    at.clock.now += 3600
    const second = await renewed()
    expect((await post(client, 'amount=10', { token: second })).status).toBe(201)
    at.clock.now += 3600
    const third = await renewed()
    const refused = await post(client, 'amount=6', { token: third })
    expect(refused.json.message).toContain('20 of 25 spent, 5 remains until 2024-06-02T00:00:00Z')
    at.clock.now += 86_400
    const next = await sessionOf(at, client)
    expect(await post(next, 'amount=6')).toMatchObject({ status: 201 })
  })

  test('a number is of the period that was registered, in the days of its zone', async () => {
    const { at, client: first } = await shopWith({ monthly_budget: 100.5 })
    at.clock.now = Date.parse('2024-06-30T15:59:59Z') / 1000
    const client = await sessionOf(at, first)
    expect(await post(client, 'of=monthly_budget&amount=100.5')).toMatchObject({ status: 201 })
    const refused = await post(client, 'of=monthly_budget&amount=0.5')
    expect(refused.json.message).toContain('100.5 of 100.5 spent, 0 remains until 2024-06-30T16:00:00Z')
    at.clock.now += 1
    expect(await post(client, 'of=monthly_budget&amount=0.5')).toMatchObject({ status: 201 })
  })

  test('a clock that is behind brings no period back', async () => {
    const { at, client: first } = await shopWith({ order_budget: '10/day' })
    at.clock.now = Date.parse('2024-06-02T00:00:00Z') / 1000
    const client = await sessionOf(at, first)
    expect(await post(client, 'amount=10')).toMatchObject({ status: 201 })
    at.clock.now -= 60
    expect(await post(client, 'amount=1')).toMatchObject(EXHAUSTED)
  })

  test('a stricter one of a renewed token finds what was spent before it', async () => {
    const { at, client } = await shopWith({ order_budget: '100/month' })
    await post(client, 'amount=50')
    const token = await tokenFor(at, client.grant, client.session, {
      restrictions: { order_budget: '60/day' },
    })
    expect((await post(client, 'amount=11', { token })).json.message).toContain('50 of 60 spent, 10 remains')
    expect(await post(client, 'amount=10', { token })).toMatchObject({ status: 201 })
  })

  test.each(['-1', 'NaN', '1e30', 'x', ''])('an amount of %j is none', async (amount) => {
    const { client } = await shopWith({ order_budget: '100/day' }, async (request) => {
      await enforceRestriction(request, 'order_budget', amount === '' ? undefined : Number(amount))
      return new Response()
    })
    expect(await post(client, '')).toMatchObject(EXHAUSTED)
  })

  test('without the restriction nothing is counted, and nothing asked of the store', async () => {
    const { at, client } = await shopWith({})
    await post(client, 'amount=1')
    const trips = counted(at.store)
    at.clock.now += 1
    expect(await post(client, 'amount=99999')).toMatchObject({ status: 201 })
    expect(trips.calls).toHaveLength(1)
  })
})

describe('orders at once', () => {
  test('thirty on two nodes spend no more than there is, and refunds are given once (databases: two-nodes.test.ts)', async () => {
    const { at, client } = await shopWith({ order_budget: '100/day' })
    const node = otherNode(at, order, { enforcers })
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        post(client, `amount=7&then=${i % 5 === 0 ? 409 : 201}`, { via: i % 2 === 0 ? at : node }),
      ),
    )
    const placed = all.filter(({ status }) => status === 201).length
    expect(placed).toBeLessThanOrEqual(14)
    expect(all.every(({ status }) => [201, 403, 409].includes(status))).toBe(true)
    const refused = await post(client, 'amount=101')
    expect(refused.json.message).toContain(`${7 * placed} of 100 spent, ${100 - 7 * placed} remains`)
  })
})

describe('commit and refund', () => {
  const left = async (client: Awaited<ReturnType<typeof seed>>) =>
    /spent, ([0-9.]+) remains/.exec(String((await post(client, 'amount=1000')).json.message))?.[1]

  test.each([
    ['201', '90'],
    ['302', '90'],
    ['400', '100'],
    ['409', '100'],
    ['500', '100'],
    ['503', '100'],
    ['throw', '100'],
    ['commit-500', '90'],
    ['commit-throw', '90'],
  ])('an answer of %s leaves %s of 100, with and without an Idempotency-Key', async (then, remains) => {
    for (const options of [{}, under('k')]) {
      const { at, client } = await shopWith({ order_budget: '100/day' })
      await post(client, `amount=10&then=${then}`, options)
      expect(await left(client)).toBe(remains)
      const outcome = remains === '100' ? 'refunded' : 'committed'
      expect(at.events.filter(({ type }) => type === 'spent')).toMatchObject([
        { restriction: 'order_budget', amount: 10, outcome, grantId: client.grant.id },
      ])
      expect(await rowsOf(at, 'hold:')).toEqual([])
    }
  })

  test('a refusal by one budget gives back what another had reserved', async () => {
    const { client } = await shopWith({ order_budget: '100/day', monthly_budget: 5 })
    expect(await post(client, 'amount=10&of=order_budget,monthly_budget')).toMatchObject(EXHAUSTED)
    expect(await left(client)).toBe('100')
  })

  test('a refund after midnight takes nothing from the new day', async () => {
    const { at, client } = await shopWith({ order_budget: '100/day, 1000/month' }, async (request) => {
      await enforceRestriction(
        request,
        'order_budget',
        Number(new URL(request.url).searchParams.get('amount')),
      )
      const late = request.url.includes('late')
      if (late) {
        at.clock.now += 86_400
        next = await sessionOf(at, client)
        await next.send('POST', '/?amount=30')
      }
      return new Response('', { status: late ? 500 : 201 })
    })
    let next = client
    await client.send('POST', '/?amount=20&late')
    const refused = await next.send('POST', '/?amount=1000')
    expect(refused.json.message).toContain('30 of 100 spent')
    const token = await tokenFor(at, next.grant, next.session, {
      restrictions: { order_budget: '1000/month' },
    })
    expect((await next.send('POST', '/?amount=1000', { token })).json.message).toContain('30 of 1000 spent')
  })

  test('the same order under its key is kept, not spent again; a freed key spends once', async () => {
    const { client } = await shopWith({ order_budget: '100/day' })
    for (let i = 0; i < 3; i++)
      expect(await post(client, 'amount=10', under('k'))).toMatchObject({ status: 201 })
    expect(await left(client)).toBe('90')
    for (let i = 0; i < 3; i++) await post(client, 'amount=10&then=503', under('l'))
    expect(await left(client)).toBe('90')
  })

  test('a process that dies in between leaves the amount counted, until its period ends', async () => {
    const { at, client } = await shopWith({ order_budget: '100/day' }, async (request) => {
      const response = await order(request)
      return request.url.includes('dies') ? new Promise<Response>(() => undefined) : response
    })
    await client.send('GET', '/?amount=0')
    const { bytes } = await client.seal('POST', '/?amount=60&dies', under('k'))
    void client.post(bytes)
    await expect.poll(() => rowsOf(at, 'hold:')).toHaveLength(1)
    const survivor = otherNode(at, order, { enforcers })
    at.clock.now += 16
    const again = await client.send('POST', '/?amount=60&dies', { ...under('k'), via: survivor })
    expect(again).toMatchObject({ status: 409, error: 'outcome_unknown' })
    const refused = await post(client, 'amount=41', { via: survivor })
    expect(refused.json.message).toContain('60 of 100 spent, 40 remains')
    const pair = { clientDid: at.agent.did, userDid: at.user.did }
    expect(await survivor.service.unsettled(pair)).toEqual([
      {
        id: expect.any(String),
        grantId: client.grant.id,
        since: NOW,
        amounts: [{ restriction: 'order_budget', amount: 60 }],
      },
    ])
    at.clock.now += 86_400
    const next = await sessionOf(at, client)
    expect(await post(next, 'amount=100', { via: survivor })).toMatchObject({ status: 201 })
  })
})

test('an operator who has looked gives back what nothing came of, once', async () => {
  const { at, client } = await shopWith({ order_budget: '100/day' }, async (request) => {
    const response = await order(request)
    return request.url.includes('dies') ? new Promise<Response>(() => undefined) : response
  })
  await post(client, 'amount=1')
  const { bytes } = await client.seal('POST', '/?amount=60&dies')
  void client.post(bytes)
  await expect.poll(() => rowsOf(at, 'hold:')).toHaveLength(1)
  const pair = { clientDid: at.agent.did, userDid: at.user.did }
  const { service, events } = otherNode(at, order, { enforcers })
  const [open] = await service.unsettled(pair)
  const given = await Promise.all([1, 2, 3].map(() => service.giveBack(pair, open?.id ?? '')))
  expect(given.filter(Boolean)).toHaveLength(1)
  expect(await service.unsettled(pair)).toEqual([])
  expect((await post(client, 'amount=1000')).json.message).toContain('1 of 100 spent, 99 remains')
  expect(await service.giveBack(pair, 'nobody')).toBe(false)
  expect(events.filter(({ type }) => type === 'spent')).toMatchObject([
    { outcome: 'refunded', by: at.server.did },
  ])
  await service.audit.flush()
  const audit: string[] = []
  for await (const entry of exportAudit(at.store, at.clock.now)) audit.push(JSON.stringify(entry))
  expect(audit.filter((line) => line.includes('budget given back'))).toHaveLength(1)
})

describe('round trips', () => {
  test('one to reserve, one to settle together with the kept answer', async () => {
    const { at, client } = await shopWith({ order_budget: '1000/day' })
    await post(client, 'amount=1', under('warm'))
    at.clock.now += 1
    await post(client, 'amount=1', under('warmer'))
    for (const [options, then] of [
      [under('k'), '201'],
      [under('l'), '422'],
      [{}, '201'],
      [{}, '422'],
    ] as const) {
      const trips = counted(at.store)
      await post(client, `amount=1&then=${then}`, options)
      expect(trips.calls.map((operations) => operations.some(({ op }) => op === 'mark'))).toEqual([
        true,
        false,
        false,
      ])
      if ('headers' in options) expect(trips.calls[2]?.map(({ op }) => op)).toContain('put')
      trips.stop()
    }
  })

  test('a store that fails to reserve is 503, and the handler does not run', async () => {
    let runs = 0
    const { at, client } = await shopWith({ order_budget: '100/day' }, async (request) => {
      await enforceRestriction(request, 'order_budget', 10)
      runs++
      return new Response()
    })
    await post(client, '')
    for (const happened of [false, true]) {
      const { transact } = at.store
      let calls = 0
      Object.assign(at.store, {
        transact: async (...given: Parameters<typeof transact>) => {
          if (++calls !== 2) return transact(...given)
          if (happened) await transact(...given)
          throw new AthError('store_unavailable', 'no answer')
        },
      })
      expect(await post(client, '')).toMatchObject({ status: 503, error: 'store_unavailable', ath: true })
      Object.assign(at.store, { transact })
    }
    expect(runs).toBe(1)
    expect(await rowsOf(at, 'hold:')).toEqual([])
    const all = await Promise.all(Array.from({ length: 10 }, () => post(client, '')))
    expect(all.filter(({ status }) => status === 200)).toHaveLength(9)
  })
})

describe('what nobody can count by fails closed', () => {
  test.each([
    [{ order_budget: 5000 }],
    [{ order_budget: 'much' }],
    [{ order_budget: '5000/fortnight' }],
    [{ order_budget: '-5/day' }],
    [{ order_budget: '5,000/day' }],
    [{ monthly_budget: -1 }],
    [{ monthly_budget: 0.0001 }],
    [{ monthly_budget: [5000] }],
  ])('at start-up: %j', async (restrictions) => {
    await expect(shop({ enforcers, restrictions: restrictions as JsonObject })).rejects.toThrow(
      'cannot be enforced',
    )
  })

  test.each([
    [{ order_budget: 'much' }, 'restriction'],
    [{ order_budget: 100 }, 'restriction'],
    [{ unknown_budget: '100/day' }, 'restriction'],
  ])('in a credential: %j', async (restrictions, code) => {
    const at = await shop({ ...ASK_NOBODY, enforcers, restrictions: { order_budget: '5000/month' } })
    const agent = await agentOf(at)
    const credential = await agent.credential({ restrictions: restrictions as JsonObject })
    await agent.post(agent.m3)
    const { status, body } = await agent.post(await agent.m5({ credential }))
    expect(status).toBe(403)
    expect(body.scopes_denied).toMatchObject([{ code }, { code }])
  })

  test('the user’s and the service’s limits all apply', async () => {
    const at = await shop({
      ...ASK_NOBODY,
      enforcers,
      restrictions: { order_budget: '5000/month', monthly_budget: 900 },
    })
    const agent = await agentOf(at)
    const credential = await agent.credential({
      restrictions: { order_budget: '300/day', monthly_budget: 1000 },
    })
    await agent.post(agent.m3)
    const { body } = await agent.post(await agent.m5({ credential }))
    expect(body.restrictions).toEqual({ order_budget: '300/day, 5000/month', monthly_budget: 900 })
  })

  test('an enforcer that is neither a function nor a budget', async () => {
    const wrong = new Map([['order_budget', { kind: 'allowance' }]]) as never
    await expect(shop({ enforcers: wrong, restrictions: {} })).rejects.toThrow(
      'neither a function nor a budget',
    )
    const taken = new Map([['rate_limit', budget()]])
    await expect(shop({ enforcers: taken, restrictions: {} })).rejects.toThrow('built in')
    expect(() => budget({ zone: 'Mars/Olympus' })).toThrow('no IANA time zone')
    expect(() => budget({ per: 'year' as never })).toThrow('per is one of')
  })
})

/** What is asked of the store from now on. */
function counted(store: Store) {
  const { transact } = store
  const calls: (readonly Operation[])[] = []
  Object.assign(store, {
    transact: (partition: string, operations: readonly Operation[], now: number) => {
      calls.push(operations)
      return transact(partition, operations, now)
    },
  })
  return { calls, stop: () => Object.assign(store, { transact }) }
}
