import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { toBase64url, utf8 } from '../../src/crypto/bytes.ts'
import type { Json } from '../../src/crypto/json.ts'
import { AthError, HandshakeError } from '../../src/errors.ts'
import * as m from '../../src/messages/index.ts'
import { AUDIENCE, NOW, ORIGINS, type Party, party } from './common.ts'

let user: Party
let valid: Record<string, Json>
beforeAll(async () => {
  user = await party('did:ath:user_1')
  const revocation = await m.createRevocation({
    signer: user,
    target: { kind: 'credential', id: 'credential-1' },
    audience: AUDIENCE,
    reason: 'no longer needed',
    expiresAt: NOW + 60,
    now: NOW,
  })
  valid = {
    revocation,
    receipt: await m.createRevocationReceipt({ server: user.signer, revocation, now: NOW }),
    enrolment: await m.createEnrolment({ user, audience: AUDIENCE, challenge: 'c', now: NOW }),
    pending: m.createAuthorizationPending({
      requestId: 'r',
      confirmationRequestHash: 'h',
      bindingCode: '07',
      expiresAt: NOW + 60,
      now: NOW,
    }),
    confirmationReceipt: m.createConfirmationReceipt('r', NOW),
    inbox: m.createInboxListing([{ type: 'authorization_confirmation_request' }]),
    discovery: m.createDiscoveryDocument({
      version: '0.1',
      appId: 'a',
      name: 'n',
      serverDid: user.did,
      capabilities: ['TLS1.3'],
      scopes: new Map([['goods:read', 'Search']]),
    }),
  }
})

/** Every reader of this room, with whatever it may be handed. */
const readers: readonly (readonly [string, (message: Json) => unknown])[] = [
  ['revocation', (x) => m.verifyRevocation(x, { now: NOW, origins: ORIGINS, keysOf: () => [user.key] })],
  ['receipt', (x) => m.verifyRevocationReceipt(x, { revocation: {}, serverKeys: [user.key], now: NOW })],
  [
    'enrolment',
    (x) => m.verifyEnrolment(x, { now: NOW, origins: ORIGINS, challenge: 'c', keysOf: () => [user.key] }),
  ],
  ['pending', (x) => m.verifyAuthorizationPending(x, NOW)],
  ['confirmationReceipt', (x) => m.verifyConfirmationReceipt(x, { requestId: 'r', now: NOW })],
  ['inbox', (x) => m.parseInboxListing(x)],
  ['discovery', (x) => m.parseDiscovery(x, AUDIENCE)],
  ['grants', (x) => m.parseGrantsListing(x)],
  ['location', (x) => m.resolveLocation(x, `${AUDIENCE}/ath/handshake`)],
  ['error', (x) => m.checkErrorObject(400, x)],
]

/** Accepted, or refused by name; anything else is a crash. */
async function holds(read: (message: Json) => unknown, message: Json): Promise<void> {
  try {
    await read(message)
  } catch (error) {
    if (!(error instanceof HandshakeError) && !(error instanceof AthError)) throw error
  }
}

const anyJson = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>
/** Names that objects have of themselves, as JSON can carry them. */
const anyMember = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'signature', 'target', 'timestamp', 'type'),
  fc.string(),
)

describe.each(readers)('whatever comes as %s', (name, read) => {
  test('any JSON is accepted or refused, never a crash', async () => {
    await fc.assert(fc.asyncProperty(anyJson, (message) => holds(read, message)))
  })

  test('so is any valid message with any member set to anything', async () => {
    await fc.assert(
      fc.asyncProperty(anyMember, anyJson, (member, value) => {
        const text = JSON.stringify({ ...(valid[name] as object) })
        const edit = `${JSON.stringify(member)}:${JSON.stringify(value)}`
        return holds(read, JSON.parse(text === '{}' ? `{${edit}}` : `${text.slice(0, -1)},${edit}}`))
      }),
    )
  })
})

test('a wallet token of any claims is refused by its name', async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(anyMember, anyJson), async (claims) => {
      // Not by `signJwt`, which does not sign what is no canonical JSON.
      const header = { alg: user.key.alg, typ: 'ath-wallet+jwt' }
      const input = [header, claims].map((part) => toBase64url(utf8(JSON.stringify(part)))).join('.')
      const token = `${input}.${toBase64url(await user.signer.sign(utf8(input)))}`
      const context = { now: NOW, origins: ORIGINS, enrolled: () => true, takeJti: () => true }
      const verified = m.verifyWalletToken(token, { ...context, keysOf: () => [user.key] })
      await expect(verified).rejects.toMatchObject({ error: 'token_invalid' })
    }),
    { numRuns: 50 },
  )
})
