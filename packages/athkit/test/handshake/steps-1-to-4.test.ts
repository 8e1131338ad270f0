import { beforeAll, describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/crypto/json.ts'
import { toPem } from '../../src/crypto/keys.ts'
import { signText } from '../../src/crypto/signature.ts'
import { didFromKey } from '../../src/did/did.ts'
import { refuse } from '../../src/errors.ts'
import * as h from '../../src/handshake/index.ts'
import {
  AUDIENCE,
  edited,
  NOW,
  type Parties,
  parties,
  party,
  random,
  refusal,
  resolver,
  wholeHandshake,
} from './parties.ts'

let of: Parties
let whole: Awaited<ReturnType<typeof wholeHandshake>>
beforeAll(async () => {
  of = await parties()
  whole = await wholeHandshake(of)
})

describe('m1, at the service', () => {
  const receive = (message: Json, now = NOW, origins = ['https://other.example', AUDIENCE]) =>
    h.receiveHandshakeRequest(message, { origins, now })

  test('finds the origin that was dialled among its own (ATH-6.1.1)', async () => {
    const received = await receive(whole.messages.m1)
    expect(received).toMatchObject({ audience: AUDIENCE, committed: true })
  })

  test('takes a plain nonce for the first origin and says that it is plain (ATH-6.1.2)', async () => {
    const received = await receive(edited(whole.messages.m1, { nonce: 'random_123456' }))
    expect(received).toMatchObject({ audience: 'https://other.example', committed: false })
  })

  test.each([
    ['no object', null, 'malformed_message'],
    ['another type', { type: 'handshake_response' }, 'malformed_message'],
    ['timestamp as text', { timestamp: '1717200000' }, 'malformed_message'],
    ['fractional timestamp', { timestamp: NOW + 0.5 }, 'malformed_message'],
    ['versions as text', { versions: '0.1' }, 'malformed_message'],
    ['capabilities of numbers', { capabilities: [1] }, 'malformed_message'],
    ['no key', { client_pubkey: null }, 'malformed_message'],
    ['301 s late', { timestamp: NOW - 301 }, 'timestamp_skew'],
    ['301 s early', { timestamp: NOW + 301 }, 'timestamp_skew'],
    ['a nonce with a dot', { nonce: 'eyJhbGciOi.payload' }, 'malformed_message'],
    ['a nonce that is a labelled input', { nonce: 'ATH/0.1 key_exchange\n{}' }, 'malformed_message'],
    ['another client than committed to', { client_did: 'did:ath:mallory' }, 'nonce_mismatch'],
    ['a capability added behind the commitment', { capabilities: ['ES256', 'TLS1.3'] }, 'nonce_mismatch'],
    ['a member added behind the commitment', { extra: 1 }, 'nonce_mismatch'],
  ])('refuses %s', async (_, edit, name) => {
    expect(await refusal(receive(edit === null ? null : edited(whole.messages.m1, edit as JsonObject)))).toBe(
      name,
    )
  })

  test('refuses a nonce committed to an origin that is not its own', async () => {
    expect(await refusal(receive(whole.messages.m1, NOW, ['https://victim.example']))).toBe('nonce_mismatch')
  })

  test('accepts a clock 300 s off, both ways', async () => {
    for (const now of [NOW - 300, NOW + 300])
      expect((await receive(whole.messages.m1, now)).committed).toBe(true)
  })

  test('negotiates in its own order of preference (ATH-2.1)', () => {
    const request = edited(whole.messages.m1, {
      capabilities: ['TLS1.3', 'unknown', 'EdDSA', 'ES256'],
    }) as h.HandshakeRequest
    expect(h.negotiate(request, { keys: ['ES256'] })).toEqual({
      version: '0.1',
      capabilities: ['ES256', 'EdDSA', 'TLS1.3'],
    })
  })

  test('picks the highest common version by number, not by text', () => {
    const request = edited(whole.messages.m1, { versions: ['0.9', '0.10', 'x'] }) as h.HandshakeRequest
    expect(h.negotiate(request, { versions: ['0.9', '0.10'], keys: ['ES256'] }).version).toBe('0.10')
  })

  test.each([
    ['no version in common', { versions: ['7.0'] }, 'no_common_version'],
    ['no TLS1.3', { capabilities: ['ES256'] }, 'no_common_capability'],
    ['not the algorithm of a key', { capabilities: ['EdDSA', 'TLS1.3'] }, 'no_common_capability'],
    ['a downgrade to what is no algorithm here', { capabilities: ['RS256', 'none'] }, 'no_common_capability'],
  ])('refuses %s', async (_, edit, name) => {
    const request = edited(whole.messages.m1, edit) as h.HandshakeRequest
    expect(await refusal(() => h.negotiate(request, { keys: ['ES256'] }))).toBe(name)
  })

  test('refuses a key that is not in the document, and a deactivated DID (ATH-4.3)', async () => {
    const key = await h.clientKeyOf(whole.messages.m1)
    const resolution = await resolver.resolve(of.client.did)
    const mallory = await party()
    expect(await refusal(h.verifyPresentedKey(key, resolution, 'm1'))).toEqual({ accepted: undefined })
    expect(await refusal(h.verifyPresentedKey(mallory.signer.publicKey, resolution, 'm1'))).toBe(
      'key_mismatch',
    )
    expect(await refusal(h.verifyPresentedKey(key, { ...resolution, deactivated: true }, 'm1'))).toBe(
      'identity_revoked',
    )
  })
})

describe('m2, at the client', () => {
  const expectation = (more: Partial<h.ServerExpectation> = {}): h.ServerExpectation => ({
    request: whole.messages.m1,
    audience: AUDIENCE,
    now: NOW,
    resolver,
    pins: [of.server.did],
    ...more,
  })
  const verify = (message: Json, more: Partial<h.ServerExpectation> = {}) =>
    refusal(h.verifyHandshakeResponse(message, expectation(more)))

  test('is accepted when every check of ATH-6.1.5 holds', async () => {
    const verified = await h.verifyHandshakeResponse(whole.messages.m2, expectation())
    expect(verified.anchored).toBe('pin')
  })

  test.each([
    ['no signature', { signature: null }, 'malformed_message'],
    ['a signature that is a number', { signature: 7 }, 'signature_invalid'],
    ['301 s early', { timestamp: NOW + 301 }, 'timestamp_skew'],
    ['a version that was not offered', { version: '0.2' }, 'no_common_version'],
    [
      'a capability that was not offered',
      { capabilities: ['ES256', 'TLS1.3', 'P-521'] },
      'no_common_capability',
    ],
    ['no TLS1.3', { capabilities: ['ES256'] }, 'no_common_capability'],
    ['a nonce outside its form', { nonce: 'a.b' }, 'malformed_message'],
    ['a member changed behind the commitment', { extra: true }, 'nonce_mismatch'],
    ['a plain nonce', { nonce: 'random_654321' }, 'nonce_mismatch'],
  ])('refuses %s', async (_, edit, name) => {
    expect(await verify(edited(whole.messages.m2, edit as JsonObject))).toBe(name)
  })

  test('refuses a server it has no reason to know, unless first use was opted into', async () => {
    expect(await verify(whole.messages.m2, { pins: [] })).toBe('identity_unknown')
    expect(await verify(whole.messages.m2, { pins: ['did:ath:another'], trustOnFirstUse: true })).toBe(
      'identity_unknown',
    )
    expect(await verify(whole.messages.m2, { pins: [], trustOnFirstUse: true })).toMatchObject({
      accepted: { anchored: 'first-use' },
    })
  })

  test('refuses a signature over another nonce', async () => {
    const signature = await signText(of.server.signer, 'another_nonce')
    expect(await verify(edited(whole.messages.m2, { signature }))).toBe('signature_invalid')
  })

  test('refuses another key under the DID', async () => {
    const mallory = await party()
    expect(await verify(edited(whole.messages.m2, { server_pubkey: toPem(mallory.signer.publicKey) }))).toBe(
      'key_mismatch',
    )
  })

  test('refuses a nonce relayed from a handshake with another audience: the relay attack (ATH-6.1.1)', async () => {
    // A rogue server passes on the m2 that the real one made for the rogue's own handshake with it.
    const relayed = await h.createHandshakeResponse({
      server: of.server,
      request: whole.messages.m1,
      audience: 'https://rogue.example',
      negotiated: { version: '0.1', capabilities: ['ES256', 'TLS1.3'] },
      now: NOW,
      random: random(9),
    })
    expect(await verify(relayed)).toBe('nonce_mismatch')
  })

  test('accepts a plain nonce only from an origin and DID that are listed together (ATH-6.1.2)', async () => {
    const plain = edited(whole.messages.m2, { nonce: 'random_654321' })
    const listed = (origin: string, did: string) => verify(plain, { literalPeers: [{ origin, did }] })
    expect(await listed(AUDIENCE, of.server.did)).toMatchObject({ accepted: { anchored: 'pin' } })
    expect(await listed('https://other.example', of.server.did)).toBe('nonce_mismatch')
    expect(await listed(AUDIENCE, of.client.did)).toBe('nonce_mismatch')
  })
})

describe('m3', () => {
  test('proves the key by signing the nonce of m2 (ATH-6.1.3)', async () => {
    const proof = h.receiveIdentityProof(whole.messages.m3, NOW)
    const clientKey = of.client.signer.publicKey
    await expect(
      h.verifyIdentityProof(proof, { clientKey, response: whole.messages.m2 }),
    ).resolves.toBeUndefined()
  })

  test('of another key, or over another nonce, is refused', async () => {
    const proof = h.receiveIdentityProof(whole.messages.m3, NOW)
    const mallory = await party()
    const other = edited(whole.messages.m2, { nonce: 'random_654321' }) as h.HandshakeResponse
    expect(
      await refusal(
        h.verifyIdentityProof(proof, { clientKey: mallory.signer.publicKey, response: whole.messages.m2 }),
      ),
    ).toBe('signature_invalid')
    expect(
      await refusal(h.verifyIdentityProof(proof, { clientKey: of.client.signer.publicKey, response: other })),
    ).toBe('signature_invalid')
  })

  test.each([
    ['no signature', { signature: null }, 'malformed_message'],
    ['credentials that are no list', { credentials: 'jwt' }, 'malformed_message'],
    ['301 s late', { timestamp: NOW - 301 }, 'timestamp_skew'],
  ])('refuses %s', async (_, edit, name) => {
    expect(
      await refusal(() =>
        h.receiveIdentityProof(edited(whole.messages.m3 as JsonObject, edit as JsonObject), NOW),
      ),
    ).toBe(name)
  })

  test('is never made over a nonce outside its form: identity keys sign nothing else (ATH-5.4)', async () => {
    const response = edited(whole.messages.m2, { nonce: 'ATH/0.1 key_exchange\n{}' }) as h.HandshakeResponse
    expect(await refusal(h.createIdentityProof({ client: of.client, response, now: NOW }))).toBe(
      'malformed_message',
    )
  })
})

describe('m4', () => {
  test('offers scopes; silent on confirmation, the user will be asked (ATH-6.1.7)', () => {
    const { require_user_confirmation: _, ...metadata } = {
      ...((whole.messages.m4 as JsonObject).metadata as JsonObject),
    }
    const silent = edited(whole.messages.m4, { metadata })
    expect(h.verifyIdentityResult(silent, NOW).metadata.requireUserConfirmation).toBe(true)
  })

  test('that says no is an error, as is one whose success and content contradict', async () => {
    const failure = h.createIdentityFailure(refuse('signature_invalid', 'private'), NOW)
    expect(JSON.stringify(failure)).not.toContain('private')
    expect(await refusal(() => h.verifyIdentityResult(failure, NOW))).toBe('signature_invalid')
    expect(
      await refusal(() => h.verifyIdentityResult(edited(whole.messages.m4, { metadata: null }), NOW)),
    ).toBe('malformed_message')
    expect(
      await refusal(() => h.verifyIdentityResult(edited(whole.messages.m4, { success: 'true' }), NOW)),
    ).toBe('malformed_message')
  })
})

test('a DID proves its own key and no other (ATH-4.1)', async () => {
  expect(didFromKey(of.client.signer.publicKey)).toBe(of.client.did)
})
