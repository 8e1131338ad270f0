import { describe, expect, test } from 'vitest'
import { ScopesDenied } from '../../src/agent/index.ts'
import { type ConfirmOptions, visible } from '../../src/user/index.ts'
import { nobodyIsAsked, ORIGIN, shop } from './shop.ts'

const scopes = ['goods:read', 'order:create']

/** The user watches the inbox and answers each question, once the agent has shown the same code. */
async function answering(
  made: Awaited<ReturnType<typeof shop>>,
  answer: ConfirmOptions | 'deny',
  more: object = {},
) {
  const stop = new AbortController()
  let shown = ''
  const watching = (async () => {
    for await (const question of made.link.questions(stop.signal)) {
      while (shown === '') await new Promise((resolve) => setTimeout(resolve, 1))
      expect(question.binding_code).toBe(shown)
      expect(visible(question.context ?? '')).toBe('Find a phone')
      if (answer === 'deny') await made.link.deny(question)
      else await made.link.approve(question, answer)
    }
  })()
  try {
    return await made.agent.connect(ORIGIN, {
      authorization: await made.authorize(),
      scopes,
      ttlSeconds: 7200,
      context: 'Find a phone',
      onPending: ({ bindingCode }) => {
        shown = bindingCode
      },
      ...more,
    })
  } finally {
    stop.abort()
    await watching
  }
}

describe('agent, service and user, end to end', () => {
  test('nobody is asked: two round trips', async () => {
    const made = await shop({ service: nobodyIsAsked })
    const session = await made.agent.connect(ORIGIN, { authorization: await made.authorize(), scopes })
    expect(made.sent.length).toBe(3)
    const goods = await session.fetch('/api/goods?keyword=phone')
    expect([goods.status, await goods.json()]).toEqual([200, { keyword: 'phone' }])
  })

  test('the user approves; goods are found, an order is placed, one beyond the limit is refused', async () => {
    const made = await shop()
    const session = await answering(made, {})
    expect(session.grant).toMatchObject({ scopes, restrictions: { order_amount_limit: 5000 } })
    const order = await session.request('POST /api/order', { json: { goods_id: '123', amount: 4999 } })
    expect([order.status, await order.json()]).toEqual([201, { order: 1 }])
    const beyond = session.request('POST /api/order', { json: { goods_id: '123', amount: 5001 } })
    await expect(beyond).rejects.toMatchObject({ name: 'PermissionError', error: 'restriction_violated' })
    await expect(session.fetch('/api/profile')).rejects.toMatchObject({ error: 'scope_denied' })
    expect((await session.fetch('/api/none')).status).toBe(404)
    expect(made.orders.length).toBe(1)
  })

  test('the user narrows: a partial grant is a result', async () => {
    const session = await answering(await shop(), { scopes: ['goods:read'] })
    expect(session.grant.scopes).toEqual(['goods:read'])
    expect(session.grant.denied).toMatchObject([{ scope: 'order:create', code: 'user' }])
  })

  test('the user denies', async () => {
    const attempt = answering(await shop(), 'deny')
    await expect(attempt).rejects.toThrow(ScopesDenied)
    await expect(attempt).rejects.toMatchObject({ denied: scopes.map((scope) => ({ scope, code: 'user' })) })
  })

  test('a stream is read as it comes', async () => {
    const made = await shop({ service: nobodyIsAsked })
    const session = await made.agent.connect(ORIGIN, { authorization: await made.authorize(), scopes })
    const response = await session.fetch('/api/events')
    expect(await response.text()).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n')
  })

  test('what the credential does not hold is denied', async () => {
    const made = await shop({ service: nobodyIsAsked })
    const authorization = await made.authorize({ scopes: ['goods:read'] })
    const session = await made.agent.connect(ORIGIN, { authorization, scopes })
    expect(session.grant.denied).toMatchObject([{ scope: 'order:create', code: 'credential' }])
  })

  test('a hundred requests at a time, an order each', async () => {
    const made = await shop({ service: { ...nobodyIsAsked, restrictions: {} } })
    const session = await made.agent.connect(ORIGIN, { authorization: await made.authorize(), scopes })
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => session.request('POST /api/order', { json: { amount: 1 } })),
    )
    expect(answers.every(({ status }) => status === 201)).toBe(true)
    expect(made.orders.length).toBe(100)
  })

  test('the user sees the grant, and takes it back', async () => {
    const made = await shop()
    const session = await answering(made, {})
    await session.fetch('/api/goods')
    const [grant] = await made.link.grants()
    expect(grant).toMatchObject({ clientDid: made.agent.did, scopes })
    await made.link.revoke({ grant: grant?.id ?? '' })
    expect(await made.link.grants()).toEqual([])
    await expect(session.fetch('/api/goods')).rejects.toMatchObject({ error: 'grant_revoked' })
  })

  test.each([
    ['of another user', 'credential_invalid'],
    ['for another agent', 'credential_invalid'],
    ['revoked', 'credential_revoked'],
  ])('a credential %s: %s', async (which, error) => {
    const made = await shop({ service: nobodyIsAsked })
    const foreign = await shop()
    const authorization =
      which === 'of another user'
        ? await foreign.user.authorize({
            clientDid: made.agent.did,
            scopes,
            expiresInSeconds: 60,
            audience: made.server.did,
          })
        : await made.authorize({
            clientDid: which === 'for another agent' ? foreign.agent.did : made.agent.did,
            jti: 'one',
          })
    if (which === 'revoked') {
      const { rememberedOf } = await import('../../src/user/index.ts')
      await made.link.revoke({ credential: (await rememberedOf(authorization)).id })
    }
    await expect(made.agent.connect(ORIGIN, { authorization, scopes })).rejects.toMatchObject({
      name: 'IdentityError',
      error,
    })
  })
})
