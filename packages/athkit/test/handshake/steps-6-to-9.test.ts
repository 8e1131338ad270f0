import { beforeAll, describe, expect, test } from 'vitest'
import { generateShare } from '../../src/crypto/ecdh.ts'
import { hash } from '../../src/crypto/jcs.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signLabelled } from '../../src/crypto/signature.ts'
import * as h from '../../src/handshake/index.ts'
import { AUDIENCE, edited, NOW, type Parties, parties, party, refusal, wholeHandshake } from './parties.ts'

let of: Parties
let whole: Awaited<ReturnType<typeof wholeHandshake>>
let question: h.ConfirmationRequest
beforeAll(async () => {
  of = await parties()
  whole = await wholeHandshake(of)
  question = await h.createConfirmationRequest({
    server: of.server,
    requestId: 'req_1',
    clientDid: of.client.did,
    clientInfo: { name: 'Shopping assistant', developer: 'Example Ltd' },
    userDid: of.user.did,
    audience: AUDIENCE,
    credentialId: 'c',
    scopeRequestHash: whole.scopeRequestHash,
    scopes: ['goods:read', 'order:create'],
    scopeDescriptions: new Map([['goods:read', 'Search products']]),
    context: 'Find a phone',
    ttl: 3600,
    restrictions: { order_amount_limit: 5000 },
    bindingCode: '07',
    expiresAt: NOW + 300,
    now: NOW,
  })
})

describe('m6, at the wallet (ATH-6.3.1)', () => {
  const verify = (message: JsonObject, more: Partial<h.ConfirmationExpectation> = {}) =>
    refusal(
      h.verifyConfirmationRequest(message, {
        serverDid: of.server.did,
        serverKeys: [of.server.signer.publicKey],
        audience: AUDIENCE,
        userDid: of.user.did,
        credentialScopes: ['goods:read', 'order:create'],
        now: NOW,
        ...more,
      }),
    )
  /** Signed by the server itself, so that nothing but the edit can be what is refused. */
  const signed = async (edit: JsonObject) => {
    const { signature: _, ...bare } = edited(question, edit)
    return { ...bare, signature: await signLabelled(of.server.signer, h.CONFIRMATION_REQUEST_LABEL, bare) }
  }

  test('is accepted', async () => expect(await verify(question)).toEqual({ accepted: question }))

  test.each([
    ['for another audience', { audience: 'https://other.example' }, 'signature_invalid'],
    ['for another user', { user_did: 'did:ath:other' }, 'signature_invalid'],
    ['of another server', { server_did: 'did:ath:other' }, 'key_mismatch'],
    ['asking more than the credential', { requested_scopes: ['user:profile'] }, 'scopes_invalid'],
    ['expired', { expires_at: NOW }, 'confirmation_timeout'],
    ['open for 601 s', { expires_at: NOW + 601 }, 'malformed_message'],
    ['with a code of one digit', { binding_code: '7' }, 'malformed_message'],
  ])('%s is refused', async (_, edit, name) => {
    expect(await verify(await signed(edit))).toBe(name)
  })

  test('changed, or signed by somebody else, is refused', async () => {
    const mallory = await party()
    expect(await verify(edited(question, { ttl: 7200 }))).toBe('signature_invalid')
    expect(await verify(question, { serverKeys: [mallory.signer.publicKey] })).toBe('signature_invalid')
    expect(await verify(edited(question, { signature: null }))).toBe('malformed_message')
  })
})

describe('m7, at the service (ATH-6.3.2, ATH-6.3.3)', () => {
  const answer = (more: Partial<h.ConfirmationResponseOptions> = {}) =>
    h.createConfirmationResponse({ user: of.user, request: question, approved: true, now: NOW, ...more })
  const verify = (message: JsonObject, now = NOW) =>
    refusal(
      h.verifyConfirmationResponse(message, { request: question, userKeys: [of.user.signer.publicKey], now }),
    )

  test('approves all, narrows, or denies', async () => {
    expect(await verify(await answer())).toMatchObject({
      accepted: { approved: ['goods:read', 'order:create'] },
    })
    expect(await verify(await answer({ approvedScopes: ['goods:read'], expiresAt: NOW + 9 }))).toMatchObject({
      accepted: { approved: ['goods:read'], expiresAt: NOW + 9 },
    })
    for (const no of [
      await answer({ approved: false, expiresAt: NOW - 9 }),
      await answer({ approvedScopes: [] }),
    ]) {
      expect(await verify(no)).toMatchObject({ accepted: { approved: [] } })
    }
  })

  test('more than was asked, an end that has passed, or too late is refused', async () => {
    expect(await verify(await answer({ approvedScopes: ['user:profile'] }))).toBe('scopes_invalid')
    expect(await verify(await answer({ expiresAt: NOW }))).toBe('malformed_message')
    expect(await verify(await answer({ now: NOW + 300 }), NOW + 300)).toBe('confirmation_timeout')
    expect(await verify(await answer({ now: NOW - 301 }))).toBe('timestamp_skew')
  })

  test('a denial turned into an approval, or an answer to another question, is refused', async () => {
    const denial = await answer({ approved: false })
    expect(await verify(edited(denial, { approved: true }))).toBe('signature_invalid')
    const other = edited(question, { ttl: 60 }) as h.ConfirmationRequest
    expect(await verify(await answer({ request: other }))).toBe('signature_invalid')
  })

  test('by anybody but the user, or unsigned, is refused before anything in it is believed', async () => {
    expect(await verify(await answer({ user: { did: of.user.did, signer: of.client.signer } }))).toBe(
      'signature_invalid',
    )
    expect(await verify({ type: 'authorization_confirmation_response' })).toBe('malformed_message')
    expect(await verify({ type: 'nonsense', signature: 'x' })).toBe('signature_invalid')
  })

  test('a well-signed answer that names another question is unknown', async () => {
    const message = {
      type: 'authorization_confirmation_response',
      request_id: 'req_2',
      approved: true,
      timestamp: NOW,
    }
    const input = { request: await hash(question), response: message }
    const signature = await signLabelled(of.user.signer, h.CONFIRMATION_RESPONSE_LABEL, input)
    expect(await verify({ ...message, signature })).toBe('confirmation_unknown')
  })
})

describe('m8, at the client (ATH-6.4)', () => {
  const verify = (message: JsonObject, more: Partial<h.ScopeResultExpectation> = {}) =>
    refusal(() =>
      h.verifyScopeResult(message, {
        request: whole.messages.m5 as h.ScopeRequest,
        metadata: whole.metadata,
        now: NOW,
        ...more,
      }),
    )

  test('is accepted, a partial grant and none at all included', async () => {
    expect(await verify(whole.messages.m8)).toHaveProperty('accepted')
    const denied = [{ scope: 'order:create', reason: 'no', code: 'user' }]
    expect(
      await verify(edited(whole.messages.m8, { scopes_granted: ['goods:read'], scopes_denied: denied })),
    ).toHaveProperty('accepted')
    expect(await verify(edited(whole.messages.m8, { scopes_granted: [], ttl_granted: 0 }))).toHaveProperty(
      'accepted',
    )
  })

  test.each([
    ['scopes that were not asked for', { scopes_granted: ['goods:read', 'user:profile'] }],
    ['a scope granted and denied', { scopes_denied: [{ scope: 'goods:read' }] }],
    ['a longer grant than asked for', { ttl_granted: 3601 }],
    ['a grant without a lifetime', { ttl_granted: 0 }],
    ['a lifetime without a grant', { scopes_granted: [] }],
    ['scopes that are text', { scopes_granted: 'goods:read' }],
  ])('refuses %s', async (_, edit) => {
    expect(await verify(edited(whole.messages.m8, edit as JsonObject))).toBe('malformed_message')
  })

  test('refuses the answer to another question than the 202 announced', async () => {
    const confirmation = { request: 'A', response: 'B' }
    expect(
      await verify(edited(whole.messages.m8, { confirmation }), { confirmationRequest: 'A' }),
    ).toHaveProperty('accepted')
    expect(await verify(edited(whole.messages.m8, { confirmation }), { confirmationRequest: 'C' })).toBe(
      'malformed_message',
    )
    expect(await verify(whole.messages.m8, { confirmationRequest: 'A' })).toBe('malformed_message')
  })
})

describe('m9a, at the service (ATH-6.5.1)', () => {
  const verify = (message: JsonObject, more: Partial<h.KeyExchangeExpectation> = {}) =>
    refusal(
      h.verifyKeyExchange(message as h.KeyExchange, {
        clientKey: of.client.signer.publicKey,
        audience: AUDIENCE,
        handshakeHash: whole.handshakeHash,
        scopeRequestHash: whole.scopeRequestHash,
        capabilities: ['ES256', 'TLS1.3'],
        ...more,
      }),
    )

  test('is accepted', async () => expect(await verify(whole.messages.m9a)).toHaveProperty('accepted'))

  test('naming what m2 does not allow is refused (ATH-2.2)', async () => {
    for (const edit of [
      { key_exchange_alg: 'ECDH-X25519' },
      { cipher_suite: 'CHACHA20-POLY1305' },
      { cipher_suite: 'AES-128-GCM' },
      { key_exchange_alg: 'none' },
    ]) {
      expect(await verify(edited(whole.messages.m9a, edit))).toBe('no_common_capability')
    }
  })

  test('of another handshake, scope request, audience or client is refused', async () => {
    const mallory = await party()
    for (const edit of [
      { handshakeHash: 'B'.repeat(43) },
      { scopeRequestHash: 'B'.repeat(43) },
      { audience: 'https://rogue.example' },
      { clientKey: mallory.signer.publicKey },
    ]) {
      expect(await verify(whole.messages.m9a, edit)).toBe('signature_invalid')
    }
    const { params } = await generateShare('ECDH-P256')
    expect(await verify(edited(whole.messages.m9a, { key_exchange_params: params }))).toBe(
      'signature_invalid',
    )
  })

  test('whose share is no point of the curve is refused when the keys are agreed on', async () => {
    const off = `BA${'A'.repeat(85)}`
    const exchange = {
      message: whole.messages.m9a as h.KeyExchange,
      alg: 'ECDH-P256',
      cipherSuite: 'AES-256-GCM',
    } as const
    const attempt = h.createHandshakeComplete({
      server: of.server,
      audience: AUDIENCE,
      userDid: of.user.did,
      messages: {
        ...whole.messages,
        m9a: edited(whole.messages.m9a, { key_exchange_params: off }) as h.KeyExchange,
      },
      exchange,
      share: await generateShare('ECDH-P256'),
      jti: 'x',
      tokenTtl: 60,
      now: NOW,
    })
    expect(await refusal(attempt)).toBe('malformed_message')
  })
})

describe('m9b, at the client (ATH-6.5.4)', () => {
  const verify = (message: JsonObject, more: Partial<h.CompleteExpectation> = {}) =>
    refusal(
      h.verifyHandshakeComplete(message, {
        audience: AUDIENCE,
        userDid: of.user.did,
        messages: whole.messages,
        share: whole.clientShare,
        serverKey: of.server.signer.publicKey,
        tokenMaxTtl: 7200,
        now: NOW,
        ...more,
      }),
    )

  test('leaves both ends with the same keys', async () => {
    expect(await verify(whole.m9b)).toMatchObject({
      accepted: { secrets: whole.established.secrets, claims: whole.established.claims },
    })
  })

  test('with a message of the handshake changed on the way is refused', async () => {
    const changed: Partial<h.HandshakeMessages>[] = [
      { m1: edited(whole.messages.m1, { x: 1 }) as h.HandshakeRequest },
      { m3: edited(whole.messages.m3, { timestamp: NOW - 1 }) },
      { m4: edited(whole.messages.m4, { x: 1 }) as h.IdentityResult },
      { m8: edited(whole.messages.m8, { restrictions: { order_amount_limit: 9999 } }) as h.ScopeResult },
    ]
    for (const edit of changed) {
      expect(await verify(whole.m9b, { messages: { ...whole.messages, ...edit } })).toBe('token_invalid')
    }
  })

  test('with another share, cipher, algorithm, user or key is refused', async () => {
    const { params } = await generateShare('ECDH-P256')
    const mallory = await party()
    expect(await verify(edited(whole.m9b, { key_exchange_params: params }))).toBe('token_invalid')
    expect(await verify(edited(whole.m9b, { cipher_suite: 'CHACHA20-POLY1305' }))).toBe('malformed_message')
    expect(await verify(edited(whole.m9b, { key_exchange_alg: 'ECDH-X25519' }))).toBe('malformed_message')
    expect(await verify(edited(whole.m9b, { key_exchange_params: 'AAAA' }))).toBe('malformed_message')
    expect(await verify(edited(whole.m9b, { access_token: 'a.b.c' }))).toBe('token_invalid')
    expect(await verify(whole.m9b, { userDid: mallory.did })).toBe('token_invalid')
    expect(await verify(whole.m9b, { audience: 'https://other.example' })).toBe('token_invalid')
    expect(await verify(whole.m9b, { serverKey: mallory.signer.publicKey })).toBe('token_invalid')
    expect(await verify(whole.m9b, { share: await generateShare('ECDH-P256') })).toBe('token_invalid')
    expect(await verify(edited(whole.m9b, { timestamp: NOW + 301 }))).toBe('timestamp_skew')
  })

  test('its token lives no longer than the grant (ATH-6.5.3)', () => {
    const { claims } = whole.established
    expect(claims.exp - claims.iat).toBe(3600)
  })
})
