import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/crypto/json.ts'
import { decodeJwt } from '../../../src/crypto/jws.ts'
import { generateSigner, type PublicKey } from '../../../src/crypto/keys.ts'
import { documentOfKey } from '../../../src/did/document.ts'
import { createResolver, type Resolver } from '../../../src/did/resolver.ts'
import { refuse } from '../../../src/errors.ts'
import { revokedKey } from '../../../src/service/revocation/index-rows.ts'
import { userPartition } from '../../../src/service/rows.ts'
import { type AccessTokenClaims, verifyPresentedToken } from '../../../src/token/access-token.ts'
import { verifyRenewedToken } from '../../../src/token/renewal.ts'
import { shop } from '../shop.ts'
import { type Client, type SendOptions, sealedShop, seed } from './session.ts'

const renew = (client: Client, now: number, options: SendOptions = {}) =>
  client.send('POST', '/ath/session/token', {
    body: JSON.stringify({ type: 'token_renewal', timestamp: now }),
    ...options,
  })

const claimsOf = (token: unknown) => decodeJwt(token).claims as unknown as AccessTokenClaims

describe('renewal (ATH-7.10)', () => {
  test('a token that the client’s own check takes; the old one lives to its end', async () => {
    const { at, client } = await sealedShop()
    await client.send('GET', '/')
    at.clock.now += 1000
    const answer = await renew(client, at.clock.now)
    expect(answer).toMatchObject({ outer: 200, status: 200, ath: true, json: { type: 'token_renewal' } })
    const token = answer.json.access_token as string
    const before = claimsOf(client.token)
    const claims = await verifyRenewedToken(token, {
      before,
      grantEnd: client.grant.expiresAt,
      server: documentOfKey(at.server.did, at.server.signer.publicKey),
      now: at.clock.now,
    })
    expect(claims).toEqual({
      ...before,
      iat: at.clock.now,
      exp: Math.min(at.clock.now + 3600, client.grant.expiresAt),
      jti: claims.jti,
    })
    for (const each of [token, client.token]) {
      expect(await client.send('GET', '/', { token: each })).toMatchObject({ status: 200 })
    }
    expect(at.events).toContainEqual(expect.objectContaining({ type: 'token_renewed', jti: claims.jti }))
  })

  test('also under a token that has expired, and never beyond the grant', async () => {
    const { at, client } = await sealedShop()
    await client.send('GET', '/')
    at.clock.now += 7000
    const { json } = await renew(client, at.clock.now)
    expect(claimsOf(json.access_token).exp).toBe(client.grant.expiresAt)
    expect(await client.send('GET', '/', { token: json.access_token as string })).toMatchObject({
      status: 200,
    })
  })

  test('but not once its credential was revoked, whether or not the grant was reached (ATH-8)', async () => {
    const { at, client } = await sealedShop()
    await client.send('GET', '/')
    const row = { key: revokedKey(client.grant.credentialId), value: '', expiresAt: at.clock.now + 7200 }
    await at.store.transact(userPartition(at.user.did), [{ op: 'put', ...row }], at.clock.now)
    expect(await renew(client, at.clock.now)).toMatchObject({
      status: 401,
      error: 'grant_revoked',
      ath: true,
    })
  })

  test('but not under none, or one of another session', async () => {
    const { at, client } = await sealedShop()
    const other = await seed(at)
    for (const token of [null, other.token]) {
      expect(await renew(client, at.clock.now, { token })).toMatchObject({ error: 'token_invalid' })
    }
  })

  test('with policy: fewer scopes, stricter restrictions, never none', async () => {
    let policy: { allow: boolean; denied?: string[]; restrictions?: JsonObject } = {
      allow: true,
      denied: ['order:create'],
      restrictions: { order_amount_limit: 100 },
    }
    const { at, client } = await sealedShop(undefined, { policy: () => policy })
    const { json } = await renew(client, at.clock.now)
    expect(claimsOf(json.access_token)).toMatchObject({
      scope: 'goods:read',
      restrictions: { order_amount_limit: 100 },
    })
    policy = { allow: true, restrictions: { order_amount_limit: 9000 } }
    const looser = await renew(client, at.clock.now)
    expect(claimsOf(looser.json.access_token)).toMatchObject({ restrictions: { order_amount_limit: 5000 } })
    for (const none of [
      { allow: false },
      { allow: true, denied: ['goods:read', 'order:create'] },
      { allow: true, restrictions: { nobody_enforces: 1 } },
    ]) {
      policy = none
      expect(await renew(client, at.clock.now)).toMatchObject({ status: 403, error: 'policy_denied' })
    }
  })

  test.each([
    ['malformed', '{', 'malformed_message'],
    ['of another type', '{"type":"x","timestamp":1}', 'malformed_message'],
    ['without a time', '{"type":"token_renewal"}', 'malformed_message'],
    ['too old', '{"type":"token_renewal","timestamp":1}', 'timestamp_skew'],
  ])('a request %s', async (_, body, error) => {
    const { client } = await sealedShop()
    expect(await client.send('POST', '/ath/session/token', { body })).toMatchObject({ error, ath: true })
  })
})

describe('the parties are looked up again (ATH-7.10)', () => {
  /** The agent and the user have named DIDs, whose documents the test changes. */
  async function named() {
    const dids = ['did:ath:agent', 'did:ath:user'] as const
    const [agentKey, userKey, other] = await Promise.all([
      generateSigner(),
      generateSigner(),
      generateSigner(),
    ])
    const keys = new Map<string, PublicKey | 'deactivated' | 'gone' | 'down'>([
      [dids[0], agentKey.publicKey],
      [dids[1], userKey.publicKey],
    ])
    let enrolled = true
    const built = createResolver()
    const resolver: Resolver = {
      resolve: async (did, options) => {
        const key = keys.get(did)
        if (key === undefined) return built.resolve(did, options)
        if (key === 'gone') throw refuse('identity_unknown', 'gone')
        if (key === 'down') throw refuse('resolver_unavailable', 'down', { retryAfter: 7 })
        if (key === 'deactivated') return { document: documentOfKey(did, other.publicKey), deactivated: true }
        return { document: documentOfKey(did, key) }
      },
    }
    const at = await shop({
      restrictions: {},
      resolver,
      users: { find: () => (enrolled ? { account: 'account-1' } : undefined) },
    })
    const client = await seed(at, {
      grant: {
        clientDid: dids[0],
        userDid: dids[1],
        clientKey: agentKey.publicKey.thumbprint,
        credentialKey: userKey.publicKey.thumbprint,
      },
    })
    const leave = () => {
      enrolled = false
    }
    return { at, client, keys, dids, other: other.publicKey, leave }
  }

  test('as they were: renewed', async () => {
    const { at, client } = await named()
    expect(await renew(client, at.clock.now)).toMatchObject({ status: 200 })
  })

  test.each([
    ['the client has another key', 0, 'other', 'key_mismatch'],
    ['the client is gone', 0, 'gone', 'key_mismatch'],
    ['the user has another key', 1, 'other', 'credential_invalid'],
    ['the user is gone', 1, 'gone', 'credential_invalid'],
    ['the client is deactivated', 0, 'deactivated', 'identity_revoked'],
    ['the user is deactivated', 1, 'deactivated', 'identity_revoked'],
  ] as const)('%s', async (_, who, what, error) => {
    const { at, client, keys, dids, other } = await named()
    keys.set(dids[who], what === 'other' ? other : what)
    expect(await renew(client, at.clock.now)).toMatchObject({ outer: 200, status: 401, error })
    const then = await client.send('GET', '/')
    // A deactivated DID ends that party's grants (ATH-8); a key that changed, only their renewal.
    expect(then).toMatchObject(what === 'deactivated' ? { error: 'grant_revoked' } : { status: 404 })
  })

  test('the user is no longer enrolled', async () => {
    const { at, client, leave } = await named()
    leave()
    expect(await renew(client, at.clock.now)).toMatchObject({ status: 401, error: 'credential_invalid' })
  })

  test('a registry that is down: 503, and another time', async () => {
    const { at, client, keys, dids } = await named()
    keys.set(dids[0], 'down')
    const answer = await renew(client, at.clock.now)
    expect(answer).toMatchObject({ outer: 200, status: 503, error: 'resolver_unavailable' })
    expect(answer.head?.headers).toContainEqual(['retry-after', '7'])
  })

  test('a new token is signed by the current key; former ones still count', async () => {
    const { at, client } = await sealedShop()
    const { json } = await renew(client, at.clock.now)
    const { session, grant } = client
    await expect(
      verifyPresentedToken(json.access_token, {
        keys: [at.server.signer.publicKey],
        now: at.clock.now,
        issuer: at.server.did,
        audience: grant.audience,
        clientId: grant.clientDid,
        subject: grant.userDid,
        sid: grant.id,
        transcript: session.transcript,
      }),
    ).resolves.toMatchObject({ scope: 'goods:read order:create' })
  })
})
