import { beforeAll, describe, expect, test } from 'vitest'
import { hash } from '../../src/crypto/jcs.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signLabelled } from '../../src/crypto/signature.ts'
import * as m from '../../src/messages/index.ts'
import { AUDIENCE, mutations, NOW, ORIGINS, type Party, party, refusal } from './common.ts'

let user: Party
let server: Party
beforeAll(async () => {
  user = await party('did:ath:user_1')
  server = await party('did:ath:shop_1', 'EdDSA')
})

const revoke = (more: Partial<m.RevocationOptions> = {}) =>
  m.createRevocation({
    signer: user,
    target: { kind: 'credential', id: 'credential-1' },
    audience: AUDIENCE,
    reason: 'no longer needed',
    expiresAt: NOW + 7200,
    now: NOW,
    ...more,
  })

const verify = (message: JsonObject, more: Partial<m.RevocationContext> = {}) =>
  refusal(
    m.verifyRevocation(message, {
      now: NOW,
      origins: ORIGINS,
      keysOf: (did) => (did === user.did ? [server.key, user.key] : undefined),
      ...more,
    }),
  )

/** The message changed by somebody who can sign it again. */
async function resigned(message: JsonObject, edit: JsonObject): Promise<JsonObject> {
  const { signature: _, ...unsigned } = { ...message, ...edit }
  return { ...unsigned, signature: await signLabelled(user.signer, 'revocation', unsigned) }
}

describe('a revocation (ATH-8)', () => {
  test('of a credential is accepted as it was sent', async () => {
    const message = await revoke()
    expect(message).toMatchObject({
      type: 'revocation',
      target: { kind: 'credential', id: 'credential-1' },
      audience: AUDIENCE,
      reason: 'no longer needed',
      signer_did: user.did,
      expires_at: NOW + 7200,
      timestamp: NOW,
    })
    expect(await verify(message)).toEqual({ accepted: message })
  })

  test('of a grant needs no end, and no reason', async () => {
    const message = await m.createRevocation({
      signer: user,
      target: { kind: 'grant', id: 'jti-1' },
      audience: 'https://second.example',
      now: NOW,
    })
    expect(Object.keys(message)).not.toContain('expires_at')
    expect(await verify(message)).toEqual({ accepted: message })
  })

  test('of a credential without its end is not made', async () => {
    const made = m.createRevocation({
      signer: user,
      target: { kind: 'credential', id: 'credential-1' },
      audience: AUDIENCE,
      reason: '',
      now: NOW,
    })
    await expect(made).rejects.toThrow(TypeError)
  })

  test.each([
    ['for another service', { audience: 'https://other.example' }, 'signature_invalid'],
    ['of a credential without its end', { expires_at: null }, 'malformed_message'],
    ['of a session', { target: { kind: 'session', id: 'x' } }, 'malformed_message'],
    ['of nothing', { target: { kind: 'grant', id: '' } }, 'malformed_message'],
    ['301 s old', { timestamp: NOW - 301 }, 'timestamp_skew'],
    ['301 s ahead', { timestamp: NOW + 301 }, 'timestamp_skew'],
  ])('%s is refused although it is well signed', async (_, edit, name) => {
    expect(await verify(await resigned(await revoke(), edit))).toBe(name)
  })

  test('signed by another, or altered, is refused', async () => {
    const mallory = await party(user.did)
    expect(await verify(await revoke({ signer: mallory }))).toBe('signature_invalid')
    const message = await revoke()
    expect(await verify({ ...message, reason: 'because' })).toBe('signature_invalid')
    expect(await verify({ ...message, added: 1 })).toBe('signature_invalid')
  })

  test('of somebody who is nobody here is refused like a bad signature, before anybody is resolved', async () => {
    const asked: string[] = []
    const keysOf = (did: string) => {
      asked.push(did)
      return undefined
    }
    expect(await verify(await revoke(), { keysOf })).toBe('signature_invalid')
    expect(await verify(await revoke({ audience: 'https://other.example' }), { keysOf })).toBe(
      'signature_invalid',
    )
    expect(asked).toEqual([user.did])
  })

  test('with any member missing or of another type is refused, never a crash', async () => {
    const message = await revoke()
    for (const [how, wrong] of mutations(message, Object.keys(message))) {
      expect(await verify(wrong), how).toMatch(/^(malformed_message|signature_invalid)$/)
    }
    for (const wrong of [null, 1, 'text', [], [message]]) {
      expect(await refusal(m.verifyRevocation(wrong, { now: NOW, origins: ORIGINS, keysOf: () => [] }))).toBe(
        'malformed_message',
      )
    }
  })
})

describe('its receipt', () => {
  const receipt = async (revocation: m.Revocation) =>
    m.createRevocationReceipt({ server: server.signer, revocation, now: NOW + 1 })
  const check = (message: JsonObject, revocation: JsonObject) =>
    refusal(m.verifyRevocationReceipt(message, { revocation, serverKeys: [server.key], now: NOW + 2 }))

  test('names the revocation and is the server’s', async () => {
    const revocation = await revoke()
    const message = await receipt(revocation)
    expect(message.request).toBe(await hash(revocation))
    expect(await check(message, revocation)).toEqual({ accepted: message })
  })

  test('for another revocation, by another, unsigned or old is refused', async () => {
    const revocation = await revoke()
    const message = await receipt(revocation)
    expect(await check(message, await revoke({ reason: 'another' }))).toBe('signature_invalid')
    const forged = await m.createRevocationReceipt({ server: user.signer, revocation, now: NOW })
    expect(await check(forged, revocation)).toBe('signature_invalid')
    const { signature: _, ...unsigned } = message
    expect(await check(unsigned, revocation)).toBe('malformed_message')
    const old = await m.createRevocationReceipt({ server: server.signer, revocation, now: NOW - 299 })
    expect(await check(old, revocation)).toBe('timestamp_skew')
  })
})
