import { beforeAll, describe, expect, test } from 'vitest'
import { toBase64url, utf8 } from '../../src/crypto/bytes.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signJwt } from '../../src/crypto/jws.ts'
import { generateSigner, type Signer } from '../../src/crypto/keys.ts'
import { didFromKey } from '../../src/did/did.ts'
import { documentOfKey } from '../../src/did/document.ts'
import { HandshakeError } from '../../src/errors.ts'
import {
  ACCESS_TOKEN_TYP,
  type AccessTokenClaims,
  issueAccessToken,
  verifyIssuedToken,
  verifyPresentedToken,
} from '../../src/token/access-token.ts'
import { verifyRenewedToken } from '../../src/token/renewal.ts'

const NOW = 1_717_200_000
const [SID, TRANSCRIPT] = [new Uint8Array(16).fill(1), new Uint8Array(32).fill(2)]
let server: Signer
let stranger: Signer
let claims: AccessTokenClaims

beforeAll(async () => {
  server = await generateSigner()
  stranger = await generateSigner()
  claims = {
    iss: didFromKey(server.publicKey),
    sub: 'did:example:user',
    client_id: 'did:example:agent',
    aud: 'https://shop.example',
    iat: NOW,
    exp: NOW + 600,
    jti: 'grant-1',
    scope: 'goods:read order:create',
    restrictions: { order_amount_limit: 5000 },
    cnf: { ath_sid: toBase64url(SID) },
    ath_transcript: toBase64url(TRANSCRIPT),
  }
})

const issued = (token: unknown, more: object = {}) =>
  verifyIssuedToken(token, {
    keys: [server.publicKey],
    now: NOW,
    issuer: claims.iss,
    subject: claims.sub,
    clientId: claims.client_id,
    audience: claims.aud,
    scopes: ['order:create', 'goods:read'],
    restrictions: { order_amount_limit: 5000 },
    sid: SID,
    transcript: TRANSCRIPT,
    grantEnd: NOW + 7200,
    tokenMaxTtl: 3600,
    ...more,
  })

const presented = (token: unknown, more: object = {}) =>
  verifyPresentedToken(token, {
    keys: [server.publicKey],
    now: NOW,
    issuer: claims.iss,
    audience: claims.aud,
    clientId: claims.client_id,
    subject: claims.sub,
    sid: claims.cnf.ath_sid,
    transcript: claims.ath_transcript,
    ...more,
  })

const refused = async (work: Promise<unknown>, why = '') => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error, why).toBeInstanceOf(HandshakeError)
  expect((error as HandshakeError).error, why).toBe('token_invalid')
}

/** The token with other claims, signed all the same. */
const forged = (more: object, signer = server) =>
  signJwt(signer, ACCESS_TOKEN_TYP, { ...claims, cnf: { ...claims.cnf }, ...more } as JsonObject)

describe('the access token (ATH-6.5.3)', () => {
  test('the client finds in it what it saw, the service what it knows', async () => {
    const token = await issueAccessToken(server, claims)
    expect(await issued(token)).toEqual(claims)
    expect(await presented(token)).toEqual(claims)
  })

  test('any one claim that is another is refused by the client (ATH-6.5.4)', async () => {
    const others: object[] = [
      { iss: 'did:example:other' },
      { sub: 'did:example:other' },
      { client_id: 'did:example:other' },
      { aud: 'https://other.example' },
      { aud: ['https://shop.example'] },
      { exp: NOW },
      { exp: NOW + 3601 },
      { exp: 'later' },
      { iat: NOW + 301, exp: NOW + 400 },
      { scope: 'goods:read' },
      { scope: 'goods:read order:create user:profile' },
      { scope: '' },
      { restrictions: { order_amount_limit: 6000 } },
      { restrictions: undefined },
      { restrictions: [] },
      { cnf: {} },
      { cnf: { ath_sid: toBase64url(TRANSCRIPT) } },
      { ath_transcript: toBase64url(SID) },
      { jti: '' },
    ]
    for (const more of others) await refused(issued(await forged(more)), JSON.stringify(more))
  })

  test('any of another session is refused by the service (ATH-7.5)', async () => {
    const token = await issueAccessToken(server, claims)
    for (const more of [
      { issuer: 'x' },
      { audience: 'x' },
      { clientId: 'x' },
      { subject: 'x' },
      { sid: 'x' },
      { transcript: 'x' },
      { now: NOW + 600 },
    ]) {
      await refused(presented(token, more), JSON.stringify(more))
    }
  })

  test('one that nobody, somebody else, or another algorithm signed is refused', async () => {
    const token = await issueAccessToken(server, claims)
    const [head = '', body = '', tail = ''] = token.split('.')
    const part = (value: object) => toBase64url(utf8(JSON.stringify(value)))
    const tokens: unknown[] = [
      await forged({}, stranger),
      await forged({}, await generateSigner('EdDSA')),
      await signJwt(server, 'at+jwt', { ...claims, cnf: { ...claims.cnf } }),
      `${head}.${body}.`,
      `${head}.${body}`,
      `${head}.${body}.${tail}.`,
      `${head}.${body}.${tail}=`,
      `${part({ alg: 'none', typ: ACCESS_TOKEN_TYP })}.${body}.`,
      `${part({ alg: 'HS256', typ: ACCESS_TOKEN_TYP })}.${body}.${tail}`,
      `${part({ alg: 'ES256', typ: ACCESS_TOKEN_TYP, jwk: server.publicKey.jwk })}.${body}.${tail}`,
      `${head}.${part({ ...claims, scope: 'user:profile' })}.${tail}`,
      '',
      null,
      7,
    ]
    for (const wrong of tokens) {
      await refused(issued(wrong), String(wrong))
      await refused(presented(wrong), String(wrong))
    }
  })

  test('a header that brings a key or other rules along is refused though the signature fits (ATH-2.3)', async () => {
    for (const name of ['crit', 'b64', 'jku', 'jwk', 'x5u', 'x5c']) {
      const header = { alg: 'ES256', typ: ACCESS_TOKEN_TYP, [name]: 'x' }
      const input = `${toBase64url(utf8(JSON.stringify(header)))}.${toBase64url(utf8(JSON.stringify(claims)))}`
      const signed = `${input}.${toBase64url(await server.sign(utf8(input)))}`
      await refused(presented(signed), name)
    }
  })
})

describe('a renewed token (ATH-7.10)', () => {
  const renewed = async (more: object) => {
    const document = documentOfKey(claims.iss, server.publicKey)
    return verifyRenewedToken(await forged({ jti: 'grant-2', ...more }), {
      before: claims,
      grantEnd: NOW + 7200,
      server: document,
      now: NOW,
    })
  }

  test('may be the same, less, or stricter, and last until the grant ends', async () => {
    expect((await renewed({ exp: NOW + 7200 })).jti).toBe('grant-2')
    expect((await renewed({ scope: 'goods:read' })).scope).toBe('goods:read')
    expect((await renewed({ restrictions: { order_amount_limit: 10 } })).restrictions).toEqual({
      order_amount_limit: 10,
    })
  })

  test('is refused when it is another grant, more, looser, longer, or the old one again', async () => {
    for (const more of [
      { iss: 'did:example:other' },
      { sub: 'x' },
      { client_id: 'x' },
      { aud: 'x' },
      { cnf: { ath_sid: 'x' } },
      { ath_transcript: 'x' },
      { jti: 'grant-1' },
      { scope: 'goods:read user:profile' },
      { scope: 'goods:read goods:read' },
      { restrictions: { order_amount_limit: 6000 } },
      { restrictions: {} },
      { exp: NOW + 7201 },
    ]) {
      await refused(renewed(more), JSON.stringify(more))
    }
  })
})
