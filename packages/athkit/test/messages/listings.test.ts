import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/crypto/json.ts'
import * as m from '../../src/messages/index.ts'
import { mutations, NOW, refusalOf } from './common.ts'

describe('the 202 of a handshake that waits for the user (ATH-3.4)', () => {
  const pending = m.createAuthorizationPending({
    requestId: 'req_1',
    confirmationRequestHash: 'hash-of-m6',
    bindingCode: '07',
    expiresAt: NOW + 300,
    now: NOW,
  })

  test('carries what the agent shows and what m8 has to name', () => {
    expect(pending).toEqual({
      type: 'authorization_pending',
      request_id: 'req_1',
      confirmation_request: 'hash-of-m6',
      binding_code: '07',
      expires_at: NOW + 300,
      timestamp: NOW,
    })
    expect(m.verifyAuthorizationPending(pending, NOW + 1)).toBe(pending)
  })

  test('is refused when any member is missing or wrong, or the clock is', async () => {
    for (const [how, wrong] of mutations(pending, Object.keys(pending))) {
      expect(await refusalOf(() => m.verifyAuthorizationPending(wrong, NOW)), how).toBe('malformed_message')
    }
    for (const code of ['7', '007', 'ab', '٠٧', '07\n']) {
      const wrong = { ...pending, binding_code: code }
      expect(await refusalOf(() => m.verifyAuthorizationPending(wrong, NOW))).toBe('malformed_message')
    }
    expect(await refusalOf(() => m.verifyAuthorizationPending(pending, NOW + 301))).toBe('timestamp_skew')
  })
})

describe('the listing of grants (ATH-8)', () => {
  const grant: m.Grant = {
    id: 'jti-1',
    requestId: 'req_1',
    clientDid: 'did:ath:agent_1',
    clientInfo: { name: 'Assistant' },
    credentialId: 'credential-1',
    scopes: ['goods:read'],
    restrictions: { rate_limit: '100/minute' },
    grantedAt: NOW,
    expiresAt: NOW + 7200,
    lastUsedAt: NOW + 5,
  }
  const unasked: m.Grant = { ...grant, id: 'jti-2', requestId: undefined, lastUsedAt: undefined }

  test('holds the first, as many as one body may (ATH-1.1)', () => {
    const many = Array.from({ length: 400 }, (_, index) => ({ ...grant, id: `jti-${index}` }))
    const { grants } = m.createGrantsListing(many)
    expect(grants.length).toBeGreaterThan(100)
    expect(grants.map(({ id }) => id)).toEqual(many.slice(0, grants.length).map(({ id }) => id))
    expect(JSON.stringify({ grants }).length).toBeLessThanOrEqual(65_536)
    expect(JSON.stringify({ grants: [...grants, ...grants.slice(0, 1)] }).length).toBeGreaterThan(65_536 - 64)
  })

  test('says of each grant all that the profile lists, and reads back as it was', () => {
    const listing = m.createGrantsListing([grant, unasked])
    expect(Object.keys(listing.grants[0] ?? {})).toEqual([
      'id',
      'request_id',
      'client_did',
      'client_info',
      'credential_id',
      'scopes',
      'restrictions',
      'granted_at',
      'expires_at',
      'last_used_at',
    ])
    expect(m.parseGrantsListing(listing)).toEqual([grant, unasked])
  })

  test('is refused when a member that must be there is missing or wrong', async () => {
    const [entry] = m.createGrantsListing([grant]).grants as unknown as [JsonObject]
    const needed = ['id', 'client_did', 'credential_id', 'scopes', 'granted_at', 'expires_at']
    for (const [how, wrong] of mutations(entry, needed)) {
      if (how === 'scopes = []') continue
      expect(await refusalOf(() => m.parseGrantsListing({ grants: [wrong] })), how).toBe('malformed_message')
    }
    for (const wrong of [null, [], {}, { grants: {} }, { grants: [1] }]) {
      expect(await refusalOf(() => m.parseGrantsListing(wrong as Json))).toBe('malformed_message')
    }
  })
})

describe('the inbox (ATH-6.3.5)', () => {
  test('lists questions as they were signed', async () => {
    const m6 = { type: 'authorization_confirmation_request', unknown: [1] }
    expect(m.parseInboxListing(m.createInboxListing([m6]))).toEqual([m6])
    for (const wrong of [null, [], {}, { pending: m6 }, { pending: ['m6'] }]) {
      expect(await refusalOf(() => m.parseInboxListing(wrong as Json))).toBe('malformed_message')
    }
  })

  test('acknowledges an answer to that question alone', async () => {
    const receipt = m.createConfirmationReceipt('req_1', NOW)
    expect(m.verifyConfirmationReceipt(receipt, { requestId: 'req_1', now: NOW })).toBe(receipt)
    const check = (requestId: string, now: number) =>
      refusalOf(() => m.verifyConfirmationReceipt(receipt, { requestId, now }))
    expect(await check('req_2', NOW)).toBe('malformed_message')
    expect(await check('req_1', NOW + 301)).toBe('timestamp_skew')
  })
})
