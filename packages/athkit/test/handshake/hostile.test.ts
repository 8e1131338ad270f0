import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { canonicalize } from '../../src/crypto/jcs.ts'
import { type Json, type JsonObject, parseMessage } from '../../src/crypto/json.ts'
import { HandshakeError } from '../../src/errors.ts'
import * as h from '../../src/handshake/index.ts'
import { anyEdit, anyJson, changedCharacter, editedText } from '../edits.ts'
import {
  AUDIENCE,
  authorization,
  credentialContext,
  NOW,
  type Parties,
  parties,
  resolver,
  wholeHandshake,
} from './parties.ts'

const runs = { numRuns: 200, seed: 60 }

let of: Parties
let whole: Awaited<ReturnType<typeof wholeHandshake>>
let valid: Record<string, JsonObject>
let m6: h.ConfirmationRequest
beforeAll(async () => {
  of = await parties()
  whole = await wholeHandshake(of)
  m6 = await h.createConfirmationRequest({
    server: of.server,
    requestId: 'req_1',
    clientDid: of.client.did,
    clientInfo: { name: 'Shopping assistant' },
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
  const m0 = (await authorization(of, { form: 'json' })) as JsonObject
  const m7 = await h.createConfirmationResponse({ user: of.user, request: m6, approved: true, now: NOW })
  valid = { ...whole.messages, m0, m6, m7, m9b: whole.m9b }
})

type Read = (message: JsonObject) => unknown

const readM1: Read = (message) => h.receiveHandshakeRequest(message, { origins: [AUDIENCE], now: NOW })
const readM5: Read = async (message) =>
  h.verifyScopeRequest(h.receiveScopeRequest(message, NOW), {
    clientKey: of.client.signer.publicKey,
    audience: AUDIENCE,
    handshakeHash: whole.handshakeHash,
  })
const complete = (messages: h.HandshakeMessages, m9b: Json) =>
  h.verifyHandshakeComplete(m9b, {
    audience: AUDIENCE,
    userDid: of.user.did,
    messages,
    share: whole.clientShare,
    serverKey: of.server.signer.publicKey,
    tokenMaxTtl: 7200,
    now: NOW,
  })

/** What its receiver does with each message, and whether it must notice every change of it. */
const readers: readonly (readonly [name: string, notices: boolean, read: Read])[] = [
  ['m0', true, (message) => h.verifyUserAuthorization(message, credentialContext(of))],
  ['m1', true, readM1],
  [
    'm2',
    true,
    (message) =>
      h.verifyHandshakeResponse(message, {
        request: whole.messages.m1,
        audience: AUDIENCE,
        now: NOW,
        resolver,
        pins: [of.server.did],
      }),
  ],
  [
    'm3',
    false,
    async (message) =>
      h.verifyIdentityProof(h.receiveIdentityProof(message, NOW), {
        clientKey: of.client.signer.publicKey,
        response: whole.messages.m2,
      }),
  ],
  ['m4', false, (message) => h.verifyIdentityResult(message, NOW)],
  ['m5', true, readM5],
  [
    'm6',
    true,
    (message) =>
      h.verifyConfirmationRequest(message, {
        serverDid: of.server.did,
        serverKeys: [of.server.signer.publicKey],
        audience: AUDIENCE,
        userDid: of.user.did,
        credentialScopes: ['goods:read', 'order:create'],
        now: NOW,
      }),
  ],
  [
    'm7',
    true,
    (message) =>
      h.verifyConfirmationResponse(message, {
        request: m6,
        userKeys: [of.user.signer.publicKey],
        now: NOW,
      }),
  ],
  [
    'm8',
    false,
    (message) =>
      h.verifyScopeResult(message, {
        request: whole.messages.m5 as h.ScopeRequest,
        metadata: whole.metadata,
        now: NOW,
      }),
  ],
  [
    'm9a',
    true,
    async (message) =>
      h.verifyKeyExchange(h.receiveKeyExchange(message, NOW), {
        clientKey: of.client.signer.publicKey,
        audience: AUDIENCE,
        handshakeHash: whole.handshakeHash,
        scopeRequestHash: whole.scopeRequestHash,
        capabilities: whole.messages.m2.capabilities,
      }),
  ],
  ['m9b', true, (message) => complete(whole.messages, message)],
]

/** Accepted (true), or refused by name (false); anything else is a crash. */
async function accepts(read: Read, text: string): Promise<boolean> {
  try {
    await read(parseMessage(text))
    return true
  } catch (error) {
    if (error instanceof HandshakeError) return false
    throw error
  }
}

const parsed = (text: string): JsonObject | undefined => {
  try {
    return parseMessage(text)
  } catch {
    return undefined
  }
}

const isAnother = (text: string, message: JsonObject): boolean => {
  const read = parsed(text)
  return read === undefined || canonicalize(read) !== canonicalize(message)
}

/** A plain nonce is a literal implementation's, and promises nothing (ATH-6.1.2). */
const isPlain = (text: string): boolean => !String(parsed(text)?.nonce ?? 'ath1:').startsWith('ath1:')

describe.each(readers)('%s at its receiver', (name, notices, read) => {
  test('is accepted as it was sent', async () => {
    expect(await accepts(read, JSON.stringify(valid[name]))).toBe(true)
  })

  test('any JSON is refused by name', async () => {
    await fc.assert(
      fc.asyncProperty(anyJson, async (message) => {
        expect(await accepts(read, JSON.stringify(message))).toBe(false)
      }),
      runs,
    )
  })

  test(`with any one change: ${notices ? 'refused' : 'accepted or refused'}, never a crash`, async () => {
    const message = valid[name] as JsonObject
    await fc.assert(
      fc.asyncProperty(anyEdit, async (edit) => {
        const text = editedText(message, edit)
        const accepted = await accepts(read, text)
        if (notices && isAnother(text, message) && !isPlain(text)) expect(accepted).toBe(false)
      }),
      runs,
    )
  })
})

test('whichever message the two ends saw differently, the client refuses the token (ATH-6.5.2)', async () => {
  const names = ['m1', 'm3', 'm4', 'm5', 'm8', 'm9a'] as const
  const readBefore = new Map(readers.map(([name, , read]) => [name, read]))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), anyEdit, async (name, edit) => {
      const text = editedText(valid[name] as Json, edit)
      const seen = parsed(text)
      if (seen === undefined || !isAnother(text, valid[name] as JsonObject)) return
      // Of the service's messages, those that the client would have gone on with.
      if (['m4', 'm8'].includes(name) && !(await accepts(readBefore.get(name) as Read, text))) return
      const messages = { ...whole.messages, [name]: seen } as h.HandshakeMessages
      await expect(complete(messages, whole.m9b)).rejects.toBeInstanceOf(HandshakeError)
    }),
    runs,
  )
})

test('a credential with any one character changed is refused (ATH-6.2.3)', async () => {
  const { credential } = whole
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (at) => {
      const altered = changedCharacter(credential as string, at)
      const read = h.verifyUserAuthorization(altered, credentialContext(of))
      await expect(read).rejects.toMatchObject({ error: 'credential_invalid' })
    }),
    runs,
  )
})
