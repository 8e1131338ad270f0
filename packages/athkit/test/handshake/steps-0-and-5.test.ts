import { beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signJwt } from '../../src/crypto/jws.ts'
import * as h from '../../src/handshake/index.ts'
import {
  AUDIENCE,
  authorization,
  credentialContext,
  edited,
  NOW,
  type Parties,
  parties,
  party,
  refusal,
  wholeHandshake,
} from './parties.ts'

let of: Parties
let whole: Awaited<ReturnType<typeof wholeHandshake>>
beforeAll(async () => {
  of = await parties()
  whole = await wholeHandshake(of)
})

const verify = (credential: string | JsonObject, more: Partial<h.CredentialContext> = {}) =>
  refusal(h.verifyUserAuthorization(credential, credentialContext(of, more)))

describe.each(['jwt', 'json'] as const)('m0 in its %s form, at the service (ATH-6.2.3)', (form) => {
  const signed = (more: Partial<h.UserAuthorizationOptions> = {}) => authorization(of, { form, ...more })

  test('is accepted and read', async () => {
    expect(
      await verify(await signed({ maxUses: 1, restrictions: { order_amount_limit: 100 } })),
    ).toMatchObject({
      accepted: {
        userDid: of.user.did,
        scopes: ['goods:read', 'order:create'],
        expiresAt: NOW + 7200,
        maxUses: 1,
        restrictions: { order_amount_limit: 100 },
      },
    })
  })

  test.each([
    ['expired', { expiresAt: NOW }, 'credential_expired'],
    ['for another client', { clientDid: 'did:ath:mallory' }, 'credential_invalid'],
    ['for another service', { audience: 'https://other.example' }, 'credential_invalid'],
    ['for nobody', { audience: [] }, 'credential_invalid'],
    ['with a wildcard', { scopes: ['goods:*'] }, 'credential_invalid'],
    ['with a scope twice', { scopes: ['goods:read', 'goods:read'] }, 'credential_invalid'],
    ['issued 301 s ahead', { issuedAt: NOW + 301 }, 'credential_invalid'],
    ['of no uses', { maxUses: 0 }, 'credential_invalid'],
  ])('%s is refused', async (_, edit, name) => {
    expect(await verify(await signed(edit))).toBe(name)
  })

  test('of a user who is not enrolled is refused without resolving anybody (ATH-4.7)', async () => {
    expect(await verify(await signed(), { enrolled: async () => undefined })).toBe('credential_invalid')
  })

  test('signed by the agent itself, in the user’s name, is refused', async () => {
    const forged = await h.createUserAuthorization(
      { did: of.user.did, signer: of.client.signer },
      {
        clientDid: of.client.did,
        scopes: ['goods:read'],
        issuedAt: NOW,
        expiresAt: NOW + 60,
        jti: 'x',
        form,
      },
    )
    expect(await verify(forged)).toBe('credential_invalid')
  })

  test('revoked, or used up, is refused', async () => {
    expect(await verify(await signed(), { revoked: async () => true })).toBe('credential_revoked')
    expect(await verify(await signed({ maxUses: 2 }), { uses: async () => 2 })).toBe('credential_invalid')
    expect(await verify(await signed({ maxUses: 2 }), { uses: async () => 1 })).toHaveProperty('accepted')
  })

  test('is judged in order: signature, expiry, client, audience, revocation', async () => {
    const everythingWrong = await signed({
      expiresAt: NOW - 1,
      clientDid: 'did:ath:mallory',
      audience: 'https://x.example',
    })
    const revoked = async () => true
    expect(await verify(everythingWrong, { revoked })).toBe('credential_expired')
    expect(await verify(await signed({ clientDid: 'did:ath:mallory' }), { revoked })).toBe(
      'credential_invalid',
    )
  })
})

test('a claim changed behind the signature is refused, in both forms', async () => {
  const json = (await authorization(of, { form: 'json' })) as JsonObject
  expect(await verify(edited(json, { scopes: ['goods:read', 'order:create', 'user:profile'] }))).toBe(
    'credential_invalid',
  )
  const [head, , signature] = ((await authorization(of)) as string).split('.')
  const widened = Buffer.from(JSON.stringify({ ...json, scopes: ['user:profile'] })).toString('base64url')
  expect(await verify(`${head}.${widened}.${signature}`)).toBe('credential_invalid')
})

test('twin members that differ are refused (ATH-6.2.1)', async () => {
  const claims = {
    iss: of.user.did,
    user_did: of.user.did,
    client_did: of.client.did,
    scopes: ['goods:read'],
    iat: NOW,
    exp: NOW + 60,
    expires_at: NOW + 61,
    jti: 'x',
  }
  expect(await verify(await signJwt(of.user.signer, 'ath-authorization+jwt', claims))).toBe(
    'credential_invalid',
  )
})

test('a token of another kind is no credential, whoever signed it', async () => {
  const claims = h.claimsOf(await authorization(of))
  for (const typ of ['JWT', 'ath-at+jwt', 'ath-wallet+jwt', 'vc+jwt']) {
    expect(await verify(await signJwt(of.user.signer, typ, claims))).toBe('credential_invalid')
  }
})

test('credential_id names a credential by user and jti, or by all its claims (ATH-6.2.1)', async () => {
  const [jwt, json] = [await authorization(of), await authorization(of, { form: 'json' })]
  const id = await h.credentialId(h.claimsOf(jwt))
  expect(await h.credentialId(h.claimsOf(json))).toBe(id)
  const { jti: _, ...withoutJti } = h.claimsOf(json)
  expect(await h.credentialId(withoutJti)).not.toBe(id)
})

describe('m5, at the service', () => {
  const expected = () => ({
    clientKey: of.client.signer.publicKey,
    audience: AUDIENCE,
    handshakeHash: whole.handshakeHash,
  })

  test('is accepted as it was signed', async () => {
    const request = h.receiveScopeRequest(whole.messages.m5, NOW)
    await expect(h.verifyScopeRequest(request, expected())).resolves.toBeUndefined()
  })

  test.each([
    ['no scopes', { scopes: [] }, 'scopes_invalid'],
    ['a wildcard', { scopes: ['goods:*'] }, 'scopes_invalid'],
    ['a scope twice', { scopes: ['goods:read', 'goods:read'] }, 'scopes_invalid'],
    ['65 scopes', { scopes: Array.from({ length: 65 }, (_, i) => `a:b${i}`) }, 'scopes_invalid'],
    ['scopes as text', { scopes: 'goods:read' }, 'malformed_message'],
    ['ttl 0', { ttl: 0 }, 'malformed_message'],
    ['ttl as text', { ttl: '7200' }, 'malformed_message'],
    ['no authorization', { user_authorization: null }, 'malformed_message'],
    ['an authorization that is a list', { user_authorization: [] }, 'malformed_message'],
    [
      'a credential that is a number',
      { user_authorization: { credential: 7, signature: 'x' } },
      'malformed_message',
    ],
    ['301 s late', { timestamp: NOW - 301 }, 'timestamp_skew'],
  ])('refuses %s', async (_, edit, name) => {
    expect(
      await refusal(() => h.receiveScopeRequest(edited(whole.messages.m5, edit as JsonObject), NOW)),
    ).toBe(name)
  })

  test('replayed into another handshake, at another audience, by another client, or widened is refused (ATH-6.2.2)', async () => {
    const request = whole.messages.m5 as h.ScopeRequest
    const mallory = await party()
    const attempt = (message: JsonObject, more: object) =>
      refusal(h.verifyScopeRequest(message as h.ScopeRequest, { ...expected(), ...more }))
    expect(await attempt(request, { handshakeHash: 'A'.repeat(43) })).toBe('signature_invalid')
    expect(await attempt(request, { audience: 'https://rogue.example' })).toBe('signature_invalid')
    expect(await attempt(request, { clientKey: mallory.signer.publicKey })).toBe('signature_invalid')
    expect(
      await attempt(edited(request, { scopes: ['goods:read', 'order:create', 'user:profile'] }), {}),
    ).toBe('signature_invalid')
    expect(await attempt(edited(request, { ttl: 7200 }), {})).toBe('signature_invalid')
    expect(await attempt(edited(request, { smuggled: true }), {})).toBe('signature_invalid')
  })
})
