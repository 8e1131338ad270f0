import { describe, expect, test } from 'vitest'
import { ScopesDenied } from '../../src/agent/index.ts'
import { world } from './world.ts'

describe('connect', () => {
  test('nobody is asked: two round trips, and a session that works', async () => {
    const { connect, fake, identity } = await world()
    const session = await connect()
    expect(fake.seen.map(({ method, path }) => `${method} ${path.replace(/\/[^/]{22}$/, '/:id')}`)).toEqual([
      'GET /.well-known/ath-app.json',
      'POST /ath/handshake',
      'POST /ath/handshake/:id',
    ])
    expect(identity.signed()).toBe(3)
    const response = await session.fetch('/api/goods?keyword=phone')
    expect([response.status, await response.text()]).toEqual([200, 'hello'])
    expect(session.grant).toMatchObject({
      scopes: ['goods:read', 'order:create'],
      restrictions: { order_amount_limit: 5000 },
    })
  })

  test('every step is told, with its checks, and no secret', async () => {
    const { connect, steps, authorization } = await world({ polls: 1 })
    await connect()
    expect(steps.map((step) => ('message' in step ? `${step.type} ${step.message}` : step.type))).toEqual([
      'sent m1',
      'verified m2',
      'sent m3',
      'sent m5',
      'sent m9a',
      'verified m4',
      'verified 202',
      'waiting',
      'verified m8',
      'verified m9b',
    ])
    const m2 = steps.find((step) => step.type === 'verified' && step.message === 'm2')
    expect(m2).toMatchObject({ anchored: 'credential' })
    expect(JSON.stringify(steps)).not.toContain(authorization)
    expect(JSON.stringify(steps)).not.toContain('"eyJ')
  })

  test('the user is asked: the code is shown, and the outcome long-polled for', async () => {
    const { connect, fake, slept } = await world({ polls: 3 })
    const shown: string[] = []
    await connect({
      onPending: ({ bindingCode, expiresAt, requestId }) =>
        shown.push(`${bindingCode} ${expiresAt > 0} ${requestId !== ''}`),
    })
    expect(shown).toEqual(['42 true true'])
    const polls = fake.seen.filter(
      ({ method, path }) => method === 'GET' && path.startsWith('/ath/handshake/'),
    )
    expect(polls.map(({ headers }) => headers.get('prefer'))).toEqual(['wait=60', 'wait=60', 'wait=60'])
    expect(slept).toEqual([2000, 2000])
  })

  test('scopes chosen out of what is offered take one round trip more', async () => {
    const { connect, fake } = await world()
    const session = await connect({
      scopes: ({ scopesSupported }) => scopesSupported.filter((name) => name === 'goods:read'),
    })
    expect(session.grant.scopes).toEqual(['goods:read'])
    expect(fake.seen.length).toBe(4)
  })

  test('a partial grant is a result', async () => {
    const { connect } = await world({ supported: ['goods:read'] })
    const session = await connect()
    expect(session.grant.scopes).toEqual(['goods:read'])
    expect(session.grant.denied).toMatchObject([{ scope: 'order:create', code: 'unsupported' }])
  })

  test('a grant that lacks what is required is given back', async () => {
    const { connect, fake } = await world({ supported: ['goods:read'] })
    const attempt = connect({ requiredScopes: ['order:create'] })
    await expect(attempt).rejects.toThrow(ScopesDenied)
    await expect(attempt).rejects.toMatchObject({
      code: 403,
      denied: [{ scope: 'order:create', code: 'unsupported' }],
    })
    expect([...fake.sessions.values()].map(({ ended }) => ended)).toEqual([true])
  })

  test('nothing granted is 403 with the scopes and the reasons', async () => {
    const { connect } = await world({ denyAll: true })
    const attempt = connect()
    await expect(attempt).rejects.toMatchObject({ name: 'PermissionError', error: 'scope_denied' })
    await expect(attempt).rejects.toMatchObject({
      denied: [
        { scope: 'goods:read', code: 'policy' },
        { scope: 'order:create', code: 'policy' },
      ],
    })
  })

  test.each(['ES256', 'EdDSA'] as const)('%s agents, each key exchange and each cipher', async (alg) => {
    for (const keyExchange of ['ECDH-P256', 'ECDH-X25519'] as const) {
      for (const cipherSuite of ['AES-256-GCM', 'CHACHA20-POLY1305'] as const) {
        const { connect, fake } = await world({ alg, agent: { keyExchange, cipherSuite } })
        const session = await connect()
        expect(await (await session.fetch('/')).text()).toBe('hello')
        const [handshake] = [...fake.handshakes.values()]
        expect(handshake?.m9a).toMatchObject({ key_exchange_alg: keyExchange, cipher_suite: cipherSuite })
      }
    }
  })

  test('what m2 does not list is not used', async () => {
    const capabilities = ['ES256', 'TLS1.3']
    const { connect, fake } = await world({ capabilities, agent: { cipherSuite: 'CHACHA20-POLY1305' } })
    await connect()
    const [handshake] = [...fake.handshakes.values()]
    expect(handshake?.m9a).toMatchObject({ key_exchange_alg: 'ECDH-P256', cipher_suite: 'AES-256-GCM' })
  })
})
