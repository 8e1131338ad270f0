import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/crypto/json.ts'
import { checkRestriction } from '../../../src/service/grant-of.ts'
import { header, otherNode, sealedShop, seed, tokenFor } from './session.ts'

const shopWith = (restrictions: JsonObject, application?: (request: Request) => Response) =>
  sealedShop(application, {}, { grant: { restrictions, expiresAt: 2_000_000_000 } })

const LIMITED = { outer: 200, status: 429, error: 'rate_limited', ath: true }
const VIOLATED = { outer: 200, status: 403, error: 'restriction_violated', ath: true }

describe('rate_limit (ATH-6.4.3)', () => {
  test('counts over all nodes and all sessions of the pair, and says when to come again', async () => {
    const { at, client } = await shopWith({ rate_limit: '3/minute' })
    const other = await seed(at, { grant: { restrictions: { rate_limit: '3/minute' } } })
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
    expect(await other.send('GET', '/')).toMatchObject({ status: 200 })
    expect(await client.send('GET', '/', { via: otherNode(at) })).toMatchObject({ status: 200 })
    for (const each of [client, other]) {
      const answer = await each.send('GET', '/')
      expect(answer).toMatchObject(LIMITED)
      expect(Number(header(answer.head, 'retry-after'))).toBeGreaterThan(0)
      expect(Number(header(answer.head, 'retry-after'))).toBeLessThanOrEqual(62)
    }
    at.clock.now += 62
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
  })

  test('twenty at once: no more than the limit run', async () => {
    let runs = 0
    const { client } = await shopWith({ rate_limit: '5/second, 100/minute' }, () => {
      runs++
      return new Response('ok')
    })
    const all = await Promise.all(Array.from({ length: 20 }, () => client.send('GET', '/')))
    expect(all.filter(({ status }) => status === 200)).toHaveLength(5)
    expect(all.filter(({ error }) => error === 'rate_limited')).toHaveLength(15)
    expect(runs).toBe(5)
  })

  test('what is refused inside for another reason counts too; replays and what does not open do not', async () => {
    const { client } = await shopWith({ rate_limit: '3/minute' })
    const { header: head, bytes } = await client.seal('GET', '/')
    expect(await client.outcome(await client.post(bytes), head)).toMatchObject({ status: 200 })
    for (let i = 0; i < 5; i++) {
      expect(await client.outcome(await client.post(bytes), head)).toMatchObject({ error: 'replayed' })
      expect((await client.post(bytes.slice(0, -1))).status).toBe(400)
    }
    expect(await client.send('GET', '//')).toMatchObject({ error: 'malformed_message' })
    expect(await client.send('GET', '/', { token: null })).toMatchObject({ error: 'token_invalid' })
    expect(await client.send('GET', '/')).toMatchObject(LIMITED)
  })

  test('a stricter one of a renewed token applies', async () => {
    const { at, client } = await shopWith({ rate_limit: '100/minute' })
    const token = await tokenFor(at, client.grant, client.session, {
      restrictions: { rate_limit: '1/minute' },
    })
    expect(await client.send('GET', '/', { token })).toMatchObject({ status: 200 })
    expect(await client.send('GET', '/', { token })).toMatchObject(LIMITED)
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
  })

  test('one that cannot be read never meant everything', async () => {
    const { client } = await shopWith({ rate_limit: 'often' })
    expect(await client.send('GET', '/')).toMatchObject(VIOLATED)
  })

  test('an event for the operator', async () => {
    const { at, client } = await shopWith({ rate_limit: '1/day' })
    await client.send('GET', '/')
    await client.send('GET', '/')
    expect(at.events).toContainEqual(
      expect.objectContaining({ type: 'restriction_violated', grantId: client.grant.id }),
    )
  })
})

describe('ip_whitelist', () => {
  test('the connection’s peer, IPv4 and IPv6, mapped addresses included', async () => {
    const { client } = await shopWith({ ip_whitelist: ['192.0.2.0/24', '2001:db8::/32'] })
    for (const address of ['192.0.2.9', '2001:db8::1', '::ffff:192.0.2.9']) {
      expect(await client.send('GET', '/', { address }), address).toMatchObject({ status: 200 })
    }
    for (const address of ['192.0.3.9', '2001:db9::1', 'unknown', '']) {
      expect(await client.send('GET', '/', { address }), address).toMatchObject(VIOLATED)
    }
    expect(await client.send('DELETE', '/ath/session', { address: '10.0.0.1' })).toMatchObject({
      status: 204,
    })
  })
})

describe('access_time', () => {
  test('in its zone, across midnight', async () => {
    const { at } = await sealedShop()
    const restrictions = { access_time: '22:00-2:00', access_time_zone: 'Asia/Shanghai' }
    const midnight = Math.ceil(at.clock.now / 86_400) * 86_400
    at.clock.now = midnight + 14 * 3600 - 1
    const client = await seed(at, { grant: { restrictions, expiresAt: 2_000_000_000 } })
    // 22:00 in Shanghai is 14:00 UTC.
    for (const [at14, status] of [
      [-1, 403],
      [0, 200],
      [4 * 3600 - 1, 200],
      [4 * 3600, 403],
    ] as const) {
      at.clock.now = midnight + 14 * 3600 + at14
      const token = await tokenFor(at, client.grant, client.session)
      const answer = await client.send('GET', '/', { token })
      expect(answer.status, String(at14)).toBe(status)
      if (status === 403) expect(answer).toMatchObject(VIOLATED)
    }
  })
})

describe('a refusal says what the limit is', () => {
  test.each<[JsonObject, string]>([
    [{ rate_limit: '5/day' }, 'rate_limit is 5/day; nothing of it is left for'],
    [{ ip_whitelist: ['10.0.0.0/8', '2001:db8::/32'] }, 'ip_whitelist is 10.0.0.0/8, 2001:db8::/32.'],
    [
      { access_time: '0:00-0:01', access_time_zone: 'Asia/Tokyo' },
      'access_time is 0:00-0:01; it is 9:00 (Asia/Tokyo) now.',
    ],
    [{ order_amount_limit: 5000 }, 'order_amount_limit is 5000; this request comes to 6000.'],
  ])('%j', async (restrictions, hint) => {
    const { client } = await shopWith(restrictions, (request) => {
      checkRestriction(request, 'order_amount_limit', 6000)
      return new Response('ordered')
    })
    let answer = await client.send('GET', '/')
    for (let i = 0; i < 5; i++) answer = await client.send('GET', '/')
    expect(answer.json.message).toContain(hint)
  })
})

describe('what the service enforces itself', () => {
  const order = (request: Request) => {
    checkRestriction(request, 'order_amount_limit', Number(new URL(request.url).searchParams.get('total')))
    return new Response('ordered')
  }

  test('order_amount_limit: within, at, and beyond it', async () => {
    const { client } = await shopWith({ order_amount_limit: 5000 }, order)
    for (const total of [1, 5000]) {
      expect(await client.send('POST', `/?total=${total}`)).toMatchObject({ status: 200, text: 'ordered' })
    }
    for (const total of ['5001', '-1', 'many']) {
      expect(await client.send('POST', `/?total=${total}`)).toMatchObject(VIOLATED)
    }
  })

  test('one that nobody enforces denies', async () => {
    const { client } = await sealedShop(
      order,
      { restrictions: {}, enforcers: new Map() },
      { grant: { restrictions: { order_amount_limit: 5000 } } },
    )
    expect(await client.send('POST', '/?total=1')).toMatchObject(VIOLATED)
  })
})
