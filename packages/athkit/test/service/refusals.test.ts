import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { signLabelled } from '../../src/crypto/signature.ts'
import { didFromKey } from '../../src/did/did.ts'
import type { ErrorName } from '../../src/errors.ts'
import * as h from '../../src/handshake/index.ts'
import { ASK_NOBODY, agentOf, HANDSHAKE, NOW, ORIGIN, party, type Shop, shop } from './shop.ts'

const m1Of = (at: Shop, more: Partial<h.HandshakeRequestOptions> = {}) =>
  h.createHandshakeRequest({ client: at.agent, audience: ORIGIN, now: NOW, random: randomBytes(16), ...more })

/** m1 with a plain nonce, so that a changed member is refused for itself and not for the commitment. */
const plain = async (at: Shop, edit: JsonObject) => ({ ...(await m1Of(at)), nonce: 'plain_123456', ...edit })

describe('m1 at the service', () => {
  test.each<[string, JsonObject, number, ErrorName]>([
    ['of another type', { type: 'identity_proof' }, 400, 'malformed_message'],
    ['without a nonce', { nonce: null }, 400, 'malformed_message'],
    ['with a nonce outside its form', { nonce: 'has.a.dot.in.it' }, 400, 'malformed_message'],
    ['with half a timestamp', { timestamp: NOW + 0.5 }, 400, 'malformed_message'],
    ['too early', { timestamp: NOW + 301 }, 401, 'timestamp_skew'],
    ['too late', { timestamp: NOW - 301 }, 401, 'timestamp_skew'],
    ['with what is no DID', { client_did: 'ath:someone' }, 400, 'malformed_message'],
    ['with a key that is none', { client_pubkey: 'PEM' }, 400, 'malformed_message'],
    ['of no common version', { versions: ['0.2'] }, 400, 'no_common_version'],
    ['without TLS1.3', { capabilities: ['ES256'] }, 400, 'no_common_capability'],
    ["without its key's algorithm", { capabilities: ['TLS1.3', 'EdDSA'] }, 400, 'no_common_capability'],
    ['with a DID nobody knows', { client_did: 'did:ath:nobody' }, 401, 'identity_unknown'],
  ])('%s is refused', async (_, edit, status, error) => {
    const at = await shop()
    const answer = await at.call('POST', HANDSHAKE, await plain(at, edit))
    expect(answer).toMatchObject({ status, body: { type: 'error', code: status, error } })
  })

  test('with the DID of another key is refused', async () => {
    const at = await shop()
    const other = await party()
    const m1 = await m1Of(at, {
      client: { did: didFromKey(other.signer.publicKey), signer: at.agent.signer },
    })
    expect(await at.call('POST', HANDSHAKE, m1)).toMatchObject({
      status: 401,
      body: { error: 'key_mismatch' },
    })
  })

  test('whose nonce commits to another audience, or was altered, is refused', async () => {
    const at = await shop()
    for (const m1 of [
      await m1Of(at, { audience: 'https://rogue.example' }),
      { ...(await m1Of(at)), versions: ['0.1', '9.9'] },
      { ...(await m1Of(at)), x: 1 },
    ]) {
      expect(await at.call('POST', HANDSHAKE, m1)).toMatchObject({
        status: 401,
        body: { error: 'nonce_mismatch' },
      })
    }
  })

  test('is matched to whichever origin the client dialled', async () => {
    const at = await shop({ origins: ['https://www.shop.example'] })
    const agent = await agentOf(at, { audience: 'https://www.shop.example' })
    expect((await agent.post(agent.m3)).status).toBe(200)
  })

  test('with a plain nonce is accepted and recorded, or refused by policy (ATH-6.1.2)', async () => {
    const at = await shop()
    expect((await at.call('POST', HANDSHAKE, await plain(at, {}))).status).toBe(201)
    expect(at.events).toContainEqual(
      expect.objectContaining({ type: 'handshake_started', committedNonce: false }),
    )
    const strict = await shop({ refusePlainNonces: true })
    expect(await strict.call('POST', HANDSHAKE, await plain(strict, {}))).toMatchObject({
      status: 401,
      body: { error: 'nonce_mismatch' },
    })
  })

  test('of a DID that no partition of the store can be named after is malformed', async () => {
    const at = await shop()
    const m1 = async (length: number) => {
      const did = `did:web:${'a'.repeat(length - 8)}`
      const client = { did, signer: at.agent.signer }
      return h.createHandshakeRequest({ client, audience: ORIGIN, now: NOW, random: randomBytes(16) })
    }
    expect((await at.call('POST', HANDSHAKE, await m1(501))).body.error).toBe('malformed_message')
    expect((await at.call('POST', HANDSHAKE, await m1(500))).body.error).not.toBe('malformed_message')
  })

  test('of a deactivated DID is refused, and a registry out of reach is 503 (ATH-4.3)', async () => {
    const gone = await shop({
      resolver: { resolve: async (did) => ({ document: { id: did }, deactivated: true }) },
    })
    expect((await gone.call('POST', HANDSHAKE, await m1Of(gone))).body.error).toBe('identity_revoked')
    const { refuse } = await import('../../src/errors.ts')
    const down = await shop({
      resolver: { resolve: () => Promise.reject(refuse('resolver_unavailable', 'down')) },
    })
    const answer = await down.call('POST', HANDSHAKE, await m1Of(down))
    expect(answer).toMatchObject({ status: 503, body: { error: 'resolver_unavailable', retryable: true } })
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  test('mismatching a cached document is resolved afresh once (ATH-4.4)', async () => {
    const asked: (boolean | undefined)[] = []
    const at = await shop({
      resolver: {
        async resolve(did, options) {
          asked.push(options?.fresh)
          return { document: { id: did } }
        },
      },
    })
    const m1 = await m1Of(at, { client: { did: 'did:ath:named_agent', signer: at.agent.signer } })
    expect((await at.call('POST', HANDSHAKE, m1)).body.error).toBe('key_mismatch')
    expect(asked).toEqual([undefined, true])
  })
})

describe('m3 at the service', () => {
  test.each<[string, JsonObject, number, ErrorName]>([
    ['signed by nobody', { signature: 'A'.repeat(86) }, 401, 'signature_invalid'],
    ['with a signature that is none', { signature: 7 }, 401, 'signature_invalid'],
    ['off by 301 s', { timestamp: NOW + 301 }, 401, 'timestamp_skew'],
  ])('%s is a failed m4, and the handshake is over', async (_, edit, status, error) => {
    const at = await shop()
    const agent = await agentOf(at)
    expect(await agent.post({ ...agent.m3, ...edit })).toMatchObject({
      status,
      body: { type: 'identity_result', success: false, error: { code: status, error } },
    })
    expect((await agent.post(agent.m3)).status).toBe(409)
  })

  test('malformed takes no step', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    for (const edit of [{ signature: null }, { timestamp: 'now' }, { credentials: 'none' }]) {
      expect(await agent.post({ ...agent.m3, ...edit })).toMatchObject({
        status: 400,
        body: { type: 'error', error: 'malformed_message' },
      })
    }
    expect((await agent.post(agent.m3)).status).toBe(200)
  })

  test('of an agent that policy does not let in is 403', async () => {
    const at = await shop({ policy: ({ did }) => ({ allow: did !== at.agent.did }) })
    const agent = await agentOf(at)
    expect(await agent.post(agent.m3)).toMatchObject({
      status: 403,
      body: { success: false, error: { error: 'policy_denied' } },
    })
  })
})

describe('m5 at the service', () => {
  const refusedWith = async (
    make: (at: Shop, agent: Awaited<ReturnType<typeof agentOf>>) => Promise<JsonObject>,
    status: number,
    error: ErrorName,
  ) => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    expect(await agent.post(await make(at, agent))).toMatchObject({ status, body: { type: 'error', error } })
    const after = await agent.post(await agent.m5())
    expect(after.status).toBe(status === 400 ? 200 : 409)
    expect(at.events).toContainEqual(expect.objectContaining({ type: 'refused', error }))
  }

  test.each<[string, Partial<h.ScopeRequestOptions>, number, ErrorName]>([
    ['without scopes', { scopes: [] }, 400, 'scopes_invalid'],
    ['with a scope twice', { scopes: ['goods:read', 'goods:read'] }, 400, 'scopes_invalid'],
    ['with what is no scope', { scopes: ['*'] }, 400, 'scopes_invalid'],
    ['with no lifetime', { ttlSeconds: 0 }, 400, 'malformed_message'],
    ['off by 301 s', { now: NOW - 301 }, 401, 'timestamp_skew'],
    ['for another audience', { audience: 'https://rogue.example' }, 401, 'signature_invalid'],
    ['of another handshake', { handshakeHash: 'B'.repeat(43) }, 401, 'signature_invalid'],
    ['with a credential that is none', { credential: 'a.b.c' }, 401, 'credential_invalid'],
    ['with an empty credential', { credential: {} }, 401, 'credential_invalid'],
  ])('%s is refused', async (_, edit, status, error) => {
    await refusedWith((__, agent) => agent.m5(edit), status, error)
  })

  test.each<[string, Partial<h.UserAuthorizationOptions>, ErrorName]>([
    ['that has ended', { expiresAt: NOW }, 'credential_expired'],
    ['of the future', { issuedAt: NOW + 301 }, 'credential_invalid'],
    ['of another agent', { clientDid: 'did:ath:other' }, 'credential_invalid'],
    ['for another service', { audience: 'https://other.example' }, 'credential_invalid'],
  ])('with a credential %s is refused, in both forms', async (_, edit, error) => {
    for (const form of ['jwt', 'json'] as const) {
      await refusedWith(
        async (__, agent) => agent.m5({ credential: await agent.credential({ ...edit, form }) }),
        401,
        error,
      )
    }
  })

  test('with a credential of a user who is not enrolled, or signed by the agent, is refused', async () => {
    const stranger = await party()
    await refusedWith(
      async (_, agent) => {
        const credential = await h.createUserAuthorization(stranger, {
          clientDid: agent.client.did,
          scopes: ['goods:read'],
          issuedAt: NOW,
          expiresAt: NOW + 60,
          jti: 'x',
        })
        return agent.m5({ credential })
      },
      401,
      'credential_invalid',
    )
    await refusedWith(
      async (at, agent) => {
        const credential = await h.createUserAuthorization(
          { did: at.user.did, signer: agent.client.signer },
          {
            clientDid: agent.client.did,
            scopes: ['goods:read'],
            issuedAt: NOW,
            expiresAt: NOW + 60,
            jti: 'x',
          },
        )
        return agent.m5({ credential })
      },
      401,
      'credential_invalid',
    )
  })

  test('altered after it was signed is refused', async () => {
    await refusedWith(
      async (_, agent) => ({ ...(await agent.m5()), scopes: ['goods:read', 'order:create', 'user:profile'] }),
      401,
      'signature_invalid',
    )
  })

  test('asking for more than there is gets less, and why (ATH-6.4.1)', async () => {
    const at = await shop({ ...ASK_NOBODY, policy: () => ({ allow: true, denied: ['order:create'] }) })
    const agent = await agentOf(at)
    const m5 = await agent.m5({ scopes: ['goods:read', 'order:create', 'user:profile', 'mail:send'] })
    const { status, body } = await agent.post([agent.m3, m5])
    expect(status).toBe(200)
    expect(body[1]).toMatchObject({
      scopes_granted: ['goods:read'],
      scopes_denied: [
        { scope: 'order:create', code: 'policy' },
        { scope: 'user:profile', code: 'credential' },
        { scope: 'mail:send', code: 'unsupported' },
      ],
    })
  })

  test('nothing left is a denial without asking: 403, and over (ATH-6.3.3, ATH-6.4.1)', async () => {
    const at = await shop({ policy: () => ({ allow: true, denied: ['goods:read', 'order:create'] }) })
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    const { status, body } = await agent.post([agent.m3, m5, await agent.m9a(m5)])
    expect(status).toBe(403)
    expect(body).toHaveLength(2)
    expect(body[1]).toMatchObject({ type: 'scope_result', scopes_granted: [], ttl_granted: 0 })
    expect(await at.wallet.pending()).toEqual([])
    expect((await agent.post(await agent.m9a(m5))).status).toBe(409)
    expect((await agent.get()).status).toBe(403)
  })

  test('with restrictions of the user that nobody enforces here is denied', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const credential = await agent.credential({ restrictions: { colours: 'red' } })
    const { status, body } = await agent.post([agent.m3, await agent.m5({ credential })])
    expect(status).toBe(403)
    expect(body[1]).toMatchObject({ scopes_denied: [{ code: 'restriction' }, { code: 'restriction' }] })
  })

  test('the stricter of the two restrictions counts, and the shortest lifetime', async () => {
    const at = await shop({ ...ASK_NOBODY, policy: () => ({ allow: true, maxTtlSeconds: 600 }) })
    const agent = await agentOf(at)
    const credential = await agent.credential({
      restrictions: { order_amount_limit: 300, rate_limit: '5/second' },
    })
    const { body } = await agent.post([agent.m3, await agent.m5({ credential })])
    expect(body[1]).toMatchObject({
      ttl_granted: 600,
      restrictions: { order_amount_limit: 300, rate_limit: '5/second, 100/minute' },
    })
  })

  test('policy is asked once for what comes in one flight, and again for what comes by itself', async () => {
    let asked = 0
    const at = await shop({ ...ASK_NOBODY, policy: () => ({ allow: ++asked > 0 }) })
    const together = await agentOf(at)
    expect((await together.post([together.m3, await together.m5()])).status).toBe(200)
    expect(asked).toBe(1)
    const apart = await agentOf(at)
    await apart.post(apart.m3)
    expect((await apart.post(await apart.m5())).status).toBe(200)
    expect(asked).toBe(3)
  })

  test('policy that came to deny the agent between m3 and m5 ends the handshake', async () => {
    let allow = true
    const at = await shop({ ...ASK_NOBODY, policy: () => ({ allow }) })
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    allow = false
    expect((await agent.post(await agent.m5())).body).toMatchObject({ error: 'policy_denied' })
  })

  test("restrictions of policy's that cannot be kept deny everything", async () => {
    const at = await shop({
      ...ASK_NOBODY,
      policy: () => ({ allow: true, restrictions: { unheard_of: true } }),
    })
    const agent = await agentOf(at)
    expect((await agent.post([agent.m3, await agent.m5()])).body[1]).toMatchObject({
      scopes_granted: [],
      scopes_denied: [{ code: 'restriction' }, { code: 'restriction' }],
    })
  })
})

describe('m9a at the service', () => {
  test.each<[string, (m9a: JsonObject) => JsonObject, number, ErrorName]>([
    [
      'with a cipher that is none',
      (m) => ({ ...m, cipher_suite: 'AES-128-GCM' }),
      400,
      'no_common_capability',
    ],
    ['altered', (m) => ({ ...m, x: 1 }), 401, 'signature_invalid'],
    ['off by 301 s', (m) => ({ ...m, timestamp: NOW + 301 }), 401, 'timestamp_skew'],
    ['without a share', (m) => ({ ...m, key_exchange_params: null }), 400, 'malformed_message'],
  ])('%s is refused, and another may follow', async (_, edit, status, error) => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5])
    const m9a = await agent.m9a(m5)
    expect(await agent.post(edit(m9a))).toMatchObject({ status, body: { error } })
    expect((await agent.post(m9a)).status).toBe(200)
  })

  test('with a point off the curve, well signed, is refused', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5])
    const { signature: _, ...bare } = await agent.m9a(m5)
    const off = { ...bare, key_exchange_params: `BA${'A'.repeat(85)}` }
    const { hash } = await import('../../src/crypto/jcs.ts')
    const input = h.keyExchangeInput(off, ORIGIN, agent.hs, await hash(m5))
    const signature = await signLabelled(at.agent.signer, 'key_exchange', input)
    expect(await agent.post({ ...off, signature })).toMatchObject({
      status: 400,
      body: { error: 'malformed_message' },
    })
    expect((await agent.post(await agent.m9a(m5))).status).toBe(200)
  })

  test('after the end of a short grant comes too late', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5({ ttlSeconds: 10 })
    await agent.post([agent.m3, m5])
    at.clock.now += 10
    expect(await agent.post(await agent.m9a(m5))).toMatchObject({
      status: 401,
      body: { error: 'session_expired' },
    })
  })

  test('after the end of the credential comes too late, by its name (ATH-6.2.1)', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5({ credential: await agent.credential({ expiresAt: NOW + 5 }) })
    await agent.post([agent.m3, m5])
    at.clock.now += 5
    expect(await agent.post(await agent.m9a(m5))).toMatchObject({
      status: 401,
      body: { error: 'credential_expired' },
    })
  })
})
