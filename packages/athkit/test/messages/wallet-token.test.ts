import { beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signJwt } from '../../src/crypto/jws.ts'
import * as m from '../../src/messages/index.ts'
import { AUDIENCE, mutations, NOW, ORIGINS, type Party, party, refusal } from './common.ts'

let user: Party
beforeAll(async () => {
  user = await party('did:ath:user_1')
})

const verify = (token: unknown, more: Partial<m.WalletTokenContext> = {}) =>
  refusal(
    m.verifyWalletToken(token, {
      now: NOW,
      origins: ORIGINS,
      enrolled: (did) => did === user.did,
      keysOf: () => [user.key],
      takeJti: () => true,
      ...more,
    }),
  )

const claims = (more: JsonObject = {}): JsonObject => ({
  iss: user.did,
  aud: AUDIENCE,
  iat: NOW,
  exp: NOW + 300,
  jti: 'jti-1',
  ...more,
})
const signed = (more: JsonObject = {}, typ = 'ath-wallet+jwt', by = user) =>
  signJwt(by.signer, typ, claims(more))

describe('a wallet token (ATH-6.3.5)', () => {
  test('is made and accepted', async () => {
    const token = await m.createWalletToken({
      user,
      audience: AUDIENCE,
      now: NOW,
      jti: 'j',
      lifetimeSeconds: 60,
    })
    expect(await verify(token)).toEqual({ accepted: { userDid: user.did, expiresAt: NOW + 60 } })
  })

  test.each([0, -1, 301, Number.NaN])('of %d seconds is not made', async (lifetimeSeconds) => {
    const made = m.createWalletToken({ user, audience: AUDIENCE, now: NOW, jti: 'j', lifetimeSeconds })
    await expect(made).rejects.toThrow(TypeError)
  })

  test.each([
    ['of another audience', { aud: 'https://other.example' }],
    ['with an audience with a slash', { aud: `${AUDIENCE}/` }],
    ['with a list of audiences', { aud: [AUDIENCE] }],
    ['301 s long', { exp: NOW + 301 }],
    ['expired', { iat: NOW - 60, exp: NOW }],
    ['issued 301 s ahead', { iat: NOW + 301, exp: NOW + 302 }],
    ['with an empty jti', { jti: '' }],
  ])('%s is refused', async (_, edit) => {
    expect(await verify(await signed(edit))).toBe('token_invalid')
  })

  test('issued 301 s ago is refused even where it ends later', async () => {
    expect(await verify(await signed({ iat: NOW - 299, exp: NOW + 1 }))).toMatchObject({ accepted: {} })
    expect(await verify(await signed({ iat: NOW - 301, exp: NOW + 1 }))).toBe('token_invalid')
  })

  test('of another type, or by another key, is refused', async () => {
    expect(await verify(await signed({}, 'JWT'))).toBe('token_invalid')
    expect(await verify(await signed({}, 'ath-authorization+jwt'))).toBe('token_invalid')
    expect(await verify(await signed({}, 'ath-wallet+jwt', await party(user.did)))).toBe('token_invalid')
  })

  test('of a DID that is not enrolled is refused, and the DID is not resolved', async () => {
    const keysOf = () => {
      throw new Error('resolved')
    }
    expect(await verify(await signed({ iss: 'did:ath:user_2' }), { keysOf })).toBe('token_invalid')
  })

  test('is good once, and a bad one uses nothing up', async () => {
    const taken = new Set<string>()
    const takeJti = (...[iss, jti, exp]: [string, string, number]) => {
      expect(exp).toBe(NOW + 300)
      return !taken.has(`${iss} ${jti}`) && taken.add(`${iss} ${jti}`).size > 0
    }
    expect(await verify(await signed({}, 'JWT'), { takeJti })).toBe('token_invalid')
    expect(taken.size).toBe(0)
    const token = await signed()
    expect(await verify(token, { takeJti })).toMatchObject({ accepted: { userDid: user.did } })
    expect(await verify(token, { takeJti })).toBe('token_invalid')
  })

  test('with any claim missing or of another type is refused, never a crash', async () => {
    for (const [how, wrong] of mutations(claims(), Object.keys(claims()))) {
      expect(await verify(await signJwt(user.signer, 'ath-wallet+jwt', wrong)), how).toBe('token_invalid')
    }
    for (const wrong of [undefined, null, 7, '', 'a.b.c', '..', {}, [await signed()]]) {
      expect(await verify(wrong)).toBe('token_invalid')
    }
  })
})
