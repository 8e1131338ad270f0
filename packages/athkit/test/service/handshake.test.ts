import { describe, expect, test } from 'vitest'
import { AthError } from '../../src/errors.ts'
import * as h from '../../src/handshake/index.ts'
import { type Agent, ASK_NOBODY, agentOf, NOW, ORIGIN, type Shop, shop } from './shop.ts'

/** The client's own check of m9b: both ends hold the same keys, and the token is for them. */
async function complete(
  at: Shop,
  agent: Agent,
  bodies: { m4: unknown; m5: unknown; m8: unknown; m9a: unknown; m9b: unknown },
) {
  const { m1, m2, m3, share } = agent
  return h.verifyHandshakeComplete(bodies.m9b as h.HandshakeComplete, {
    audience: ORIGIN,
    userDid: at.user.did,
    messages: { m1, m2, m3, ...bodies } as unknown as h.HandshakeMessages,
    share,
    serverKey: at.server.signer.publicKey,
    tokenMaxTtl: 7200,
    now: at.clock.now,
  })
}

describe('a whole handshake', () => {
  test('in two round trips when nobody is asked (ATH-3.6)', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    const m9a = await agent.m9a(m5)
    const { status, body } = await agent.post([agent.m3, m5, m9a])
    expect(status).toBe(200)
    const [m4, m8, m9b] = body as unknown as [h.IdentityResult, h.ScopeResult, unknown]
    expect(m4.success && m4.metadata).toEqual({
      scopes_supported: ['goods:read', 'order:create', 'user:profile'],
      token_max_ttl: 7200,
      require_user_confirmation: false,
    })
    expect(m8).toMatchObject({
      scopes_granted: ['goods:read', 'order:create'],
      scopes_denied: [],
      ttl_granted: 3600,
      restrictions: { rate_limit: '100/minute', order_amount_limit: 5000 },
    })
    expect(m8.confirmation).toBeUndefined()
    const { claims } = await complete(at, agent, { m4, m5, m8, m9a, m9b })
    expect(claims).toMatchObject({ sub: at.user.did, client_id: agent.client.did, exp: NOW + 3600 })
    expect(at.events.map(({ type }) => type)).toEqual([
      'warning',
      'warning',
      'warning',
      'handshake_started',
      'identity_proven',
      'confirmation_skipped',
      'scopes_decided',
      'token_issued',
    ])
  })

  test('with a credential for another origin of this service the user is asked (ATH-6.2.1, ATH-6.3.4)', async () => {
    const www = 'https://www.shop.example'
    const at = await shop({ ...ASK_NOBODY, origins: [www] })
    const agent = await agentOf(at, { audience: www })
    const credential = await agent.credential({ audience: ORIGIN })
    const { body } = await agent.post([agent.m3, await agent.m5({ credential })])
    expect(body[1]).toMatchObject({ type: 'authorization_pending' })
    expect(await at.wallet.pending()).toMatchObject([{ audience: www }])
  })

  test('message by message, with the user asked', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    const { body: m4 } = await agent.post(agent.m3)
    expect(m4).toMatchObject({ metadata: { require_user_confirmation: true } })
    const m5 = await agent.m5()
    const waiting = await agent.post(m5)
    expect(waiting.status).toBe(202)
    expect(waiting.headers.get('retry-after')).toMatch(/^\d+$/)
    const [question] = await at.wallet.pending()
    if (question === undefined) throw new Error('no question')
    expect(question).toMatchObject({
      client_did: agent.client.did,
      requested_scopes: ['goods:read', 'order:create'],
      context: 'Find a phone',
      ttl: 3600,
      expires_at: NOW + 300,
      scope_descriptions: { 'goods:read': 'Search products' },
    })
    await h.verifyConfirmationRequest(question, {
      serverDid: at.server.did,
      serverKeys: [at.server.signer.publicKey],
      audience: ORIGIN,
      userDid: at.user.did,
      now: NOW,
    })
    expect(waiting.body).toMatchObject({
      type: 'authorization_pending',
      request_id: question.request_id,
      binding_code: question.binding_code,
      confirmation_request: await h.hashOfConfirmationRequest(question),
    })
    expect((await agent.get()).status).toBe(202)
    const m7 = await at.wallet.respond(question)
    expect((await at.wallet.post(question, m7)).body).toMatchObject({
      type: 'authorization_confirmation_receipt',
      request_id: question.request_id,
    })
    expect(await at.wallet.pending()).toEqual([])
    const { status, body: m8 } = await agent.get()
    expect(status).toBe(200)
    const m9a = await agent.m9a(m5)
    const { body: m9b } = await agent.post(m9a)
    await complete(at, agent, { m4, m5, m8, m9a, m9b })
    expect(
      h.verifyScopeResult(m8, {
        request: m5,
        metadata: { scopesSupported: [], tokenMaxTtl: 7200, requireUserConfirmation: true },
        confirmationRequest: waiting.body.confirmation_request as string,
        now: NOW,
      }),
    ).toBe(m8)
  })

  test('as a flight that waits: the outcome comes as an array (ATH-3.6)', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    const m9a = await agent.m9a(m5)
    const waiting = await agent.post([agent.m3, m5, m9a])
    expect(waiting.status).toBe(202)
    expect(waiting.body).toHaveLength(2)
    const [question] = await at.wallet.pending()
    if (question === undefined) throw new Error('no question')
    at.clock.now += 100
    await at.wallet.post(question, await at.wallet.respond(question, { approvedScopes: ['goods:read'] }))
    const { status, body } = await agent.get()
    expect(status).toBe(200)
    expect(body).toHaveLength(2)
    const [m8, m9b] = [body[0], body[1]]
    expect(m8).toMatchObject({
      scopes_granted: ['goods:read'],
      scopes_denied: [{ scope: 'order:create', code: 'user' }],
    })
    await complete(at, agent, { m4: waiting.body[0], m5, m8, m9a, m9b })
    expect((await agent.get()).body).toEqual(body)
    expect((await agent.post(m5)).body).toEqual(m8)
    expect((await agent.post([m5, m9a])).body).toEqual(body)
  })

  test('m9a behind a wait is judged by the clock that received it (ATH-3.6)', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5, await agent.m9a(m5)])
    const [question] = await at.wallet.pending()
    if (question === undefined) throw new Error('no question')
    at.clock.now += 299
    await at.wallet.post(question, await at.wallet.respond(question))
    at.clock.now += 599
    expect(await agent.get()).toMatchObject({ status: 200, body: [{}, { type: 'handshake_complete' }] })
  })

  test('a use that has lapsed before its grant was committed is somebody else’s (ATH-6.2.1)', async () => {
    const at = await shop(ASK_NOBODY)
    const [first, second] = [await agentOf(at), await agentOf(at)]
    const credential = await first.credential({ maxUses: 1 })
    const m5 = await first.m5({ credential })
    expect((await first.post([first.m3, m5])).status).toBe(200)
    // The process dies between the state and the grant.
    const { transact } = at.store
    Object.assign(at.store, {
      transact: (...given: Parameters<typeof transact>) =>
        given[0].startsWith('pair:') && given[1].some(({ op }) => op === 'put')
          ? Promise.reject(new AthError('store_unavailable', 'dead'))
          : transact(...given),
    })
    const m9a = await first.m9a(m5)
    expect((await first.post(m9a)).status).toBe(503)
    Object.assign(at.store, { transact })
    at.clock.now += 62

    const again = await agentOf(at)
    const again5 = await again.m5({ credential })
    expect((await again.post([again.m3, again5, await again.m9a(again5)])).status).toBe(200)
    expect(await first.post(m9a)).toMatchObject({ status: 401, body: { error: 'credential_invalid' } })
    expect((await at.service.grantsOf(at.user.did)).grants).toHaveLength(1)
    expect((await second.post([second.m3, await second.m5({ credential })])).status).not.toBe(200)
  })

  test('of several at once with a credential good for one, one is granted (ATH-6.2.1)', async () => {
    const at = await shop(ASK_NOBODY)
    const agents = await Promise.all(Array.from({ length: 8 }, () => agentOf(at)))
    const credential = await (agents[0] as Agent).credential({ maxUses: 1 })
    const answers = await Promise.all(
      agents.map(async (agent) => agent.post([agent.m3, await agent.m5({ credential })])),
    )
    const granted = answers.filter(({ status }) => status === 200)
    expect(granted).toHaveLength(1)
    for (const { status, body } of answers.filter((answer) => !granted.includes(answer))) {
      // Found used up when it was checked, or when the use was to be reserved.
      if (status === 401) expect(body[1]).toMatchObject({ error: 'credential_invalid' })
      else expect([status, body[1]?.scopes_denied]).toMatchObject([403, [{ code: 'credential' }, {}]])
    }
  })
})
