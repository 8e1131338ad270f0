import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/crypto/json.ts'
import { atMost, budget, type PolicyDocument, type ServiceOptions } from '../../../src/service/index.ts'
import { sealedShop } from '../sealed/session.ts'
import { ASK_NOBODY, agentOf, NOW, type Shop, shop } from '../shop.ts'

const shopUnder = (policy: ServiceOptions['policy'], more: Partial<ServiceOptions> = {}) =>
  shop({ restrictions: {}, ...(policy === undefined ? {} : { policy }), ...more })

/** m3, m5: what came of it. */
async function ask(
  at: Shop,
  edit: { scopes?: string[]; restrictions?: JsonObject; audience?: undefined } = {},
) {
  const agent = await agentOf(at)
  const { scopes = ['goods:read', 'order:create'] } = edit
  const m4 = await agent.post(agent.m3)
  if (m4.status !== 200) return { agent, m4, m5: undefined, m8: m4 }
  const credential = await agent.credential({ ...edit, scopes })
  const m5 = await agent.m5({ credential, scopes })
  return { agent, m4, m5, m8: await agent.post(m5) }
}

describe('policy as data', () => {
  test('denies an agent, a scope, whoever is not named', async () => {
    const at = await shop({ restrictions: {} })
    const answers = async (policy: PolicyDocument) => {
      at.service.reloadPolicy(policy)
      // Nobody is still being asked.
      at.clock.now += 100_000
      const { m4, m8 } = await ask(at)
      return [m4.status, m8.status, m8.body.scopes_denied]
    }
    const did = at.agent.did
    expect(await answers({})).toEqual([200, 202, undefined])
    const out = [403, 403, undefined]
    expect(await answers({ agents: { [did]: { allow: false } } })).toEqual(out)
    expect(await answers({ others: { allow: false } })).toEqual(out)
    expect(await answers({ others: { allow: false }, agents: { [did]: {} } })).toEqual([200, 202, undefined])
    // A deny beats everything.
    expect(await answers({ everyone: { allow: false }, agents: { [did]: { allow: true } } })).toEqual(out)
    const all = { 'goods:read': { allow: false }, 'order:create': { allow: false } }
    const denied = ['goods:read', 'order:create'].map((scope) =>
      expect.objectContaining({ scope, code: 'policy' }),
    )
    expect(await answers({ everyone: { scopes: all } })).toEqual([200, 403, denied])
    const allowed = { 'goods:read': { allow: true }, 'order:create': { allow: true } }
    expect(await answers({ everyone: { scopes: all }, agents: { [did]: { scopes: allowed } } })).toEqual([
      200,
      403,
      denied,
    ])
    expect(await answers({ agents: { 'did:ath:another': { allow: false } } })).toEqual([200, 202, undefined])
  })

  test('bounds a grant that has a scope, and no other', async () => {
    const policy: PolicyDocument = {
      everyone: {
        maxTtlSeconds: 3000,
        restrictions: { rate_limit: '100/minute' },
        scopes: {
          'order:create': {
            skipUserConfirmation: true,
            maxTtlSeconds: 600,
            restrictions: { order_amount_limit: 1000, rate_limit: '5/second' },
          },
          'goods:read': { skipUserConfirmation: true },
        },
      },
    }
    const at = await shopUnder(policy, { restrictions: { order_amount_limit: 5000 } })
    const both = (await ask(at)).m8.body
    expect(both).toMatchObject({
      ttl_granted: 600,
      restrictions: { order_amount_limit: 1000, rate_limit: '5/second, 100/minute' },
    })
    const one = (await ask(at, { scopes: ['goods:read'] })).m8.body
    expect(one).toMatchObject({
      ttl_granted: 3000,
      restrictions: { order_amount_limit: 5000, rate_limit: '100/minute' },
    })
    // What the user may not have had does not bound what they get.
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    const credential = await agent.credential({ scopes: ['goods:read'] })
    const { body } = await agent.post(await agent.m5({ credential }))
    expect(body).toMatchObject({
      scopes_granted: ['goods:read'],
      ttl_granted: 3000,
      restrictions: one.restrictions,
    })
  })

  test('the user sees what they are asked to allow, and m8 keeps to it after a reload', async () => {
    const at = await shopUnder({
      everyone: { scopes: { 'order:create': { restrictions: { order_amount_limit: 700 } } } },
    })
    const { agent, m8 } = await ask(at)
    expect(m8.status).toBe(202)
    const [question] = await at.wallet.pending()
    if (question === undefined) throw new Error('nobody was asked')
    expect(question.restrictions).toEqual({ order_amount_limit: 700 })
    at.service.reloadPolicy({ everyone: { maxTtlSeconds: 60, scopes: { 'goods:read': { allow: false } } } })
    await at.wallet.post(question, await at.wallet.respond(question))
    const { body } = await agent.get()
    expect(body).toMatchObject({
      scopes_granted: ['order:create'],
      scopes_denied: [{ scope: 'goods:read', code: 'policy' }],
      ttl_granted: 60,
      restrictions: { order_amount_limit: 700 },
    })
  })

  test('whether the user is asked: only an explicit yes for every scope skips them, and a no anywhere asks (ATH-6.3.4)', async () => {
    const at = await shop({ restrictions: {} })
    const skip = { skipUserConfirmation: true }
    const status = async (policy: PolicyDocument, edit: Parameters<typeof ask>[1] = {}) => {
      at.service.reloadPolicy(policy)
      at.clock.now += 100_000
      const { m4, m8 } = await ask(at, edit)
      return [(m4.body.metadata as JsonObject).require_user_confirmation, m8.status]
    }
    const both = { 'goods:read': skip, 'order:create': skip }
    expect(await status({})).toEqual([true, 202])
    expect(await status({ everyone: { scopes: both } })).toEqual([false, 200])
    expect(await status({ agents: { [at.agent.did]: { scopes: both } } })).toEqual([false, 200])
    // The credential names no server, so nobody says whom the user meant.
    expect(await status({ everyone: { scopes: both } }, { audience: undefined })).toEqual([false, 202])
    expect(await status({ everyone: { scopes: { 'goods:read': skip } } })).toEqual([false, 202])
    const asks = { agents: { [at.agent.did]: { scopes: { 'goods:read': { skipUserConfirmation: false } } } } }
    expect(await status({ everyone: { scopes: both }, ...asks })).toEqual([false, 202])
    expect(at.events.filter(({ type }) => type === 'warning').length).toBeGreaterThan(0)
    const always = await shop({ ...ASK_NOBODY, restrictions: {} })
    always.service.reloadPolicy({
      everyone: {
        scopes: {
          'goods:read': { skipUserConfirmation: false },
          'order:create': { skipUserConfirmation: false },
        },
      },
    })
    expect((await ask(always)).m8.status).toBe(202)
  })

  test.each<[unknown, string]>([
    [{ everyone: { maxTtl: 60 } }, 'policy.everyone.maxTtl'],
    [{ agent: {} }, 'policy.agent'],
    [{ approval: 'optional' }, 'policy.approval'],
    [{ everyone: { maxTtlSeconds: 0 } }, 'policy.everyone.maxTtlSeconds'],
    [{ everyone: { maxTtlSeconds: 1.5 } }, 'policy.everyone.maxTtlSeconds'],
    [{ everyone: { allow: 'no' } }, 'policy.everyone.allow'],
    [{ agents: { nobody: {} } }, '"nobody" is no DID'],
    [{ agents: { 'did:ath:x': { scopes: { 'order:make': {} } } } }, '"order:make" is not offered here'],
    [{ everyone: { restrictions: { speed_limit: 30 } } }, 'nobody enforces speed_limit'],
    [
      { everyone: { restrictions: { rate_limit: 'often' } } },
      'rate_limit has a value that cannot be enforced',
    ],
    [
      { everyone: { restrictions: { order_budget: 'much' } } },
      'order_budget has a value that cannot be enforced',
    ],
    [
      { others: { scopes: { 'goods:read': { restrictions: { ip_whitelist: ['10/8'] } } } } },
      'ip_whitelist has a value',
    ],
    [
      {
        everyone: { restrictions: { ip_whitelist: ['10.0.0.0/8'] } },
        agents: { 'did:ath:x': { restrictions: { ip_whitelist: ['192.0.2.0/24'] } } },
      },
      'cannot be kept together',
    ],
    [
      {
        everyone: { scopes: { 'goods:read': { restrictions: { access_time: '9:00-18:00' } } } },
        others: {
          scopes: {
            'goods:read': { restrictions: { access_time: '9:00-18:00', access_time_zone: 'Asia/Tokyo' } },
          },
        },
      },
      'the restrictions of goods:read cannot be kept together',
    ],
    [[], 'policy'],
    ['deny', 'policy'],
  ])('%j is refused whole, and the one in force stays', async (wrong, message) => {
    const enforcers = new Map([['order_budget', budget()] as const, ['order_amount_limit', atMost] as const])
    const policy = wrong as PolicyDocument
    await expect(shop({ restrictions: {}, enforcers, policy })).rejects.toThrow(message)
    const at = await shop({ restrictions: {}, enforcers, policy: { everyone: { allow: false } } })
    expect(() => at.service.reloadPolicy(policy)).toThrow(message)
    expect((await ask(at)).m4.status).toBe(403)
  })
})

describe('a reload', () => {
  const DENY: PolicyDocument = { everyone: { allow: false } }

  test('is seen by every step of a handshake that is under way', async () => {
    const denied = { status: 403, body: { error: 'policy_denied' } }
    const at = await shop({ ...ASK_NOBODY, restrictions: {} })
    const before3 = await agentOf(at)
    at.service.reloadPolicy(DENY)
    expect((await before3.post(before3.m3)).status).toBe(403)
    at.service.reloadPolicy({})
    const before5 = await agentOf(at)
    await before5.post(before5.m3)
    at.service.reloadPolicy(DENY)
    expect(await before5.post(await before5.m5())).toMatchObject(denied)
    for (const policy of [DENY, { everyone: { scopes: { 'order:create': { allow: false } } } }]) {
      at.service.reloadPolicy({})
      const { agent, m5, m8 } = await ask(at)
      expect(m8.status).toBe(200)
      at.service.reloadPolicy(policy)
      expect(await agent.post(await agent.m9a(m5 as JsonObject))).toMatchObject(denied)
    }
    expect(at.events.filter(({ type }) => type === 'policy_reloaded').length).toBe(7)
  })

  test('that denies an agent stops its sessions, and shortens them when they renew', async () => {
    const { at, client } = await sealedShop()
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
    at.service.reloadPolicy({ agents: { [at.agent.did]: { allow: false } } })
    expect(await client.send('GET', '/')).toMatchObject({
      outer: 200,
      status: 403,
      error: 'policy_denied',
      ath: true,
    })
    at.service.reloadPolicy({
      everyone: { maxTtlSeconds: 1000, scopes: { 'order:create': { allow: false } } },
    })
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
    const renew = () =>
      client.send('POST', '/ath/session/token', {
        body: JSON.stringify({ type: 'token_renewal', timestamp: at.clock.now }),
      })
    at.clock.now += 10
    const { json } = await renew()
    const claims = JSON.parse(
      Buffer.from(String(json.access_token).split('.')[1] ?? '', 'base64url').toString(),
    )
    expect(claims).toMatchObject({ scope: 'goods:read', exp: NOW + 1000 })
    at.clock.now = NOW + 1000
    expect(await renew()).toMatchObject({ status: 403, error: 'policy_denied' })
  })

  test('a function may be replaced by data and back; one that says nonsense lets nobody in', async () => {
    const at = await shopUnder(() => ({ allow: true, scopes: { 'goods:read': { allow: false } } }))
    expect((await ask(at)).m8.status).toBe(202)
    at.service.reloadPolicy(() => ({ allow: 'yes' }) as never)
    expect((await ask(at)).m4.status).toBe(403)
    at.service.reloadPolicy(() => ({ allow: true, maxTtlSeconds: Number.NaN }))
    expect((await ask(at)).m4.status).toBe(500)
    at.service.reloadPolicy({})
    expect((await ask(at)).m4.status).toBe(200)
  })
})

test('a scope rule of a function is not found in what an object inherits', async () => {
  const at = await shopUnder(() => ({
    allow: true,
    scopes: Object.create({ 'goods:read': { allow: false } }),
  }))
  expect((await ask(at, { scopes: ['goods:read'] })).m8.status).toBe(202)
})
