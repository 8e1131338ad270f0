import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { decodeJwt } from '../../src/crypto/jws.ts'
import { toPem } from '../../src/crypto/keys.ts'
import { signText } from '../../src/crypto/signature.ts'
import { type DidDocument, documentOfKey } from '../../src/did/document.ts'
import type { Resolver } from '../../src/did/resolver.ts'
import type * as h from '../../src/handshake/index.ts'
import { issueAccessToken } from '../../src/token/access-token.ts'
import { json } from './fake-server.ts'
import { NOW, ORIGIN, party, refusal, type WorldOptions, world } from './world.ts'

/** What the agent said, and how often it had signed by then. */
async function attempt(options: WorldOptions) {
  const made = await world(options)
  let rule: string | undefined
  let caught: unknown
  const connecting = () =>
    made.connect().catch((error: { rule?: string }) => {
      rule = error.rule
      caught = error
      throw error
    })
  const error = await refusal(connecting)
  expectNoLeak(caught, made)
  return { error, rule, signed: made.identity.signed(), ...made }
}

/** Neither in what is thrown nor in what is told is there a credential, a token or a key. */
function expectNoLeak(error: unknown, { steps, authorization }: Awaited<ReturnType<typeof world>>): void {
  const said = inspect([error, steps], { depth: 12, maxStringLength: null, showHidden: true })
  const [, claims = ''] = authorization.split('.')
  for (const secret of [claims, 'PRIVATE KEY']) expect(said).not.toContain(secret)
  // Any JWT: what is random may well hold its first letters.
  expect(said).not.toMatch(/eyJ[\w-]+\.eyJ/)
}

const other = await party()

describe('m2: refused before anything is signed (ATH-6.1.5)', () => {
  const cases: [string, WorldOptions, string][] = [
    ['no message', { m2: () => ['m2'] }, 'malformed_message'],
    ['of another type', { m2: (m2) => ({ ...m2, type: 'identity_result' }) }, 'malformed_message'],
    ['too old', { m2: (m2) => ({ ...m2, timestamp: NOW - 301 }) }, 'timestamp_skew'],
    ['from the future', { m2: (m2) => ({ ...m2, timestamp: NOW + 301 }) }, 'timestamp_skew'],
    ['a version that was not offered', { m2: (m2) => ({ ...m2, version: '0.2' }) }, 'no_common_version'],
    [
      'a capability that was not offered',
      { m2: (m2) => ({ ...m2, capabilities: [...m2.capabilities, 'RSA'] }) },
      'no_common_capability',
    ],
    ['downgraded: no TLS1.3', { m2: (m2) => ({ ...m2, capabilities: ['ES256'] }) }, 'no_common_capability'],
    ['downgraded: no ES256', { m2: (m2) => ({ ...m2, capabilities: ['TLS1.3'] }) }, 'no_common_capability'],
    [
      'another key',
      { m2: (m2) => ({ ...m2, server_pubkey: toPem(other.signer.publicKey) }) },
      'key_mismatch',
    ],
    [
      'a DID that does not resolve',
      { m2: (m2) => ({ ...m2, server_did: 'did:ath:nobody' }) },
      'identity_unknown',
    ],
    ['another server, whole', { m2Options: (given) => ({ ...given, server: other }) }, 'identity_unknown'],
    ['not anchored', { audience: null }, 'identity_unknown'],
    ['anchored as another origin', { audience: ['https://other.example'] }, 'identity_unknown'],
    [
      'a wrong signature',
      { m2: async (m2) => ({ ...m2, signature: await signText(other.signer, m2.nonce) }) },
      'signature_invalid',
    ],
    ['no signature', { m2: ({ signature: _, ...m2 }) => m2 }, 'malformed_message'],
    [
      'a nonce outside its form',
      { m2: (m2) => ({ ...m2, nonce: 'eyJhbGciOiJub25lIn0.e30.' }) },
      'malformed_message',
    ],
    ['a plain nonce', { m2: (m2) => ({ ...m2, nonce: 'random_654321' }) }, 'nonce_mismatch'],
    [
      'an altered commitment',
      { m2: (m2) => ({ ...m2, nonce: `${m2.nonce.slice(0, -3)}AAA` }) },
      'nonce_mismatch',
    ],
    [
      'a message altered behind its commitment',
      { m2: (m2) => ({ ...m2, capabilities: ['ES256', 'TLS1.3'] }) },
      'nonce_mismatch',
    ],
    [
      'a relayed nonce: committed for another audience',
      { m2Options: (given) => ({ ...given, audience: 'https://bank.example' }) },
      'nonce_mismatch',
    ],
    [
      'a commitment to another m1',
      { m2Options: (given) => ({ ...given, request: { ...given.request, timestamp: NOW - 1 } }) },
      'nonce_mismatch',
    ],
    ['no Location', { location: null }, 'malformed_message'],
    ['a Location elsewhere', { location: 'https://elsewhere.example/ath/handshake/1' }, 'malformed_message'],
  ]
  test.each(cases)('%s', async (_, options, expected) => {
    const { error, rule, signed, fake } = await attempt(options)
    expect({ error, signed }).toEqual({ error: expected, signed: 0 })
    expect(rule).toMatch(/^ATH-\d/)
    expect(fake.seen.filter(({ path }) => path.startsWith('/ath/handshake/'))).toEqual([])
  })

  test('the one DID asked for, whatever else vouches for another', async () => {
    const { connect, identity } = await world()
    expect(await refusal(connect({ serverDid: other.did }))).toBe('identity_unknown')
    expect(identity.signed()).toBe(0)
  })

  test('a deactivated server', async () => {
    const resolver: Resolver = {
      resolve: async (did) => ({ document: { id: did } as DidDocument, deactivated: true }),
    }
    const { error, signed } = await attempt({ agent: { resolver } })
    expect({ error, signed }).toEqual({ error: 'identity_revoked', signed: 0 })
  })

  test('a key that only a fresh document has is found in it (ATH-4.4)', async () => {
    const asked: boolean[] = []
    const made = await world({
      agent: {
        resolver: {
          async resolve(did, { fresh = false } = {}) {
            asked.push(fresh)
            return {
              document: documentOfKey(did, fresh ? made.server.signer.publicKey : other.signer.publicKey),
            }
          },
        },
      },
    })
    await made.connect()
    expect(asked).toEqual([false, true])
  })

  test('what vouches for a server: a pin, did:web, a verifying registry, first use where opted into', async () => {
    const pinned = await world({ audience: null })
    await expect(refusal(pinned.connect())).resolves.toBe('identity_unknown')
    await expect(pinned.connect({ serverDid: pinned.server.did })).resolves.toBeDefined()
    const first = await world({ audience: null, agent: { trustOnFirstUse: true } })
    await expect(first.connect()).resolves.toBeDefined()
    expect(first.steps.find((step) => step.type === 'verified')).toMatchObject({ anchored: 'first-use' })
    // A pin is a word about who it is: first use does not go around it.
    const both = await world({ audience: null, agent: { trustOnFirstUse: true, pins: [other.did] } })
    expect(await refusal(both.connect())).toBe('identity_unknown')
  })

  test('a literal peer may send a plain nonce, at its origin and with its DID alone', async () => {
    const m2 = (made: h.HandshakeResponse) => ({ ...made, nonce: 'random_654321' })
    const listed = (origin: string, did?: string) => (server: h.Identity) => ({
      literalPeers: [{ origin, did: did ?? server.did }],
    })
    const trusted = await world({ m2, agent: listed(ORIGIN) })
    await expect(trusted.connect()).resolves.toBeDefined()
    for (const agent of [listed('https://other.example'), listed(ORIGIN, other.did)]) {
      const made = await attempt({ m2, agent })
      expect([made.error, made.signed]).toEqual(['nonce_mismatch', 0])
    }
  })
})

describe('after m2: refused, and nothing comes of it', () => {
  const cases: [string, WorldOptions, string][] = [
    ['m4 of another type', { m4: (m4) => ({ ...m4, type: 'x' }) }, 'malformed_message'],
    ['m4 too old', { m4: (m4) => ({ ...m4, timestamp: NOW - 301 }) }, 'timestamp_skew'],
    ['fewer answers than due', { answers: ([m4]) => [m4 as JsonObject] }, 'malformed_message'],
    ['more answers than messages', { answers: (all) => [...all, ...all] }, 'peer_violation'],
    [
      'scopes widened in m8',
      { m8: (m8) => ({ ...m8, scopes_granted: [...m8.scopes_granted, 'user:profile'] }) },
      'malformed_message',
    ],
    ['a longer grant than asked for', { m8: (m8) => ({ ...m8, ttl_granted: 7201 }) }, 'malformed_message'],
    ['m8 too old', { m8: (m8) => ({ ...m8, timestamp: NOW - 301 }) }, 'timestamp_skew'],
    [
      'another question answered than announced',
      { polls: 1, m8: (m8) => ({ ...m8, confirmation: { request: 'other', response: 'H' } }) },
      'malformed_message',
    ],
    [
      'a question announced, and none answered',
      { polls: 1, m8: ({ confirmation: _, ...m8 }) => m8 as h.ScopeResult },
      'malformed_message',
    ],
    [
      'another question while polling',
      {
        polls: 4,
        pending: (pending, polls) => (polls < 2 ? pending : { ...pending, confirmation_request: 'other' }),
      },
      'peer_violation',
    ],
    [
      'another code while polling',
      { polls: 4, pending: (pending, polls) => (polls < 2 ? pending : { ...pending, binding_code: '43' }) },
      'peer_violation',
    ],
    [
      'a question open for an hour',
      { polls: 2, pending: (pending) => ({ ...pending, expires_at: NOW + 3600 }) },
      'malformed_message',
    ],
    [
      'a code of three digits',
      { polls: 2, pending: (pending) => ({ ...pending, binding_code: '424' }) },
      'malformed_message',
    ],
    [
      'm9b with another cipher',
      { m9b: (m9b) => ({ ...m9b, cipher_suite: 'CHACHA20-POLY1305' }) },
      'malformed_message',
    ],
    [
      'm9b with another key exchange',
      { m9b: (m9b) => ({ ...m9b, key_exchange_alg: 'ECDH-P256' }) },
      'malformed_message',
    ],
    [
      'm9b with an all-zero share',
      { m9b: (m9b) => ({ ...m9b, key_exchange_params: 'A'.repeat(43) }) },
      'malformed_message',
    ],
    ['the transcript changed: m9b', { m9b: (m9b) => ({ ...m9b, more: true }) }, 'token_invalid'],
    [
      'the transcript changed: another m4',
      { answers: ([m4, ...rest]) => [{ ...m4, more: true }, ...rest] },
      'token_invalid',
    ],
    [
      'the transcript changed: another m8',
      { answers: ([m4, m8, m9b]) => [m4 as JsonObject, { ...m8, more: true }, m9b as JsonObject] },
      'token_invalid',
    ],
    [
      'a token signed by another key',
      { complete: (given) => ({ ...given, server: { did: given.server.did, signer: other.signer } }) },
      'token_invalid',
    ],
    [
      'a token of another issuer',
      { complete: (given) => ({ ...given, server: { did: other.did, signer: given.server.signer } }) },
      'token_invalid',
    ],
    [
      'a token for another user',
      { complete: (given) => ({ ...given, userDid: other.did }) },
      'token_invalid',
    ],
    [
      'a token for another audience',
      { complete: (given) => ({ ...given, audience: 'https://bank.example' }) },
      'token_invalid',
    ],
    [
      'a token for another agent',
      {
        complete: (given) => ({
          ...given,
          messages: { ...given.messages, m1: { ...given.messages.m1, client_did: other.did } },
        }),
      },
      'token_invalid',
    ],
  ]
  test.each(cases)('%s', async (_, options, expected) => {
    const { error, rule, fake } = await attempt(options)
    expect(error).toBe(expected)
    expect(rule).toMatch(/^ATH-\d/)
    expect(fake.seen.filter(({ path }) => path === '/ath/sealed')).toEqual([])
  })

  test.each([
    ['scope', { scope: 'goods:read order:create user:profile' }],
    ['client_id', { client_id: 'did:ath:other' }],
    ['restrictions', { restrictions: {} }],
    ['cnf', { cnf: { ath_sid: 'AAAAAAAAAAAAAAAAAAAAAA' } }],
    ['ath_transcript', { ath_transcript: 'x' }],
    ['exp', { exp: NOW + 90_000 }],
    ['exp, passed', { exp: NOW }],
  ])('a well-signed token whose %s is another', async (_, edit) => {
    const made = await world({
      m9b: async (m9b) => {
        const claims = { ...decodeJwt(m9b.access_token).claims, ...edit }
        return { ...m9b, access_token: await issueAccessToken(made.server.signer, claims as never) }
      },
    })
    expect(await refusal(made.connect())).toBe('token_invalid')
  })
})

describe('a transport that misbehaves ends in bounded time', () => {
  const at = (path: string, response: () => Response): WorldOptions => ({
    intercept: (request) => (request.path.startsWith(path) ? response() : undefined),
  })
  const endless = () =>
    new Response(
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(16_384).fill(0x20)),
      }),
    )
  const silent = () => new Response(new ReadableStream({}))
  const places = ['/.well-known', '/ath/handshake', '/ath/handshake/']

  test.each(places)('an endless body at %s', async (path) => {
    expect((await attempt(at(path, endless))).error).toBe('peer_violation')
  })

  test.each(places)('a body that never comes at %s', async (path) => {
    const options = { ...at(path, silent), agent: { answerWithin: 20 } }
    expect((await attempt(options)).error).toBe('transport_failed')
  })

  test('an answer that never comes', async () => {
    const made = await world({
      intercept: () => new Promise<never>(() => undefined),
      agent: { answerWithin: 20 },
    })
    expect(await refusal(made.connect())).toBe('transport_failed')
    expect(made.fake.seen.length).toBe(5)
  })

  test.each(places)('a redirect at %s is not followed', async (path) => {
    const redirect = () =>
      new Response(null, { status: 307, headers: { location: 'https://elsewhere.example/' } })
    const { error, fake } = await attempt(at(path, redirect))
    expect(error).toBe('peer_violation')
    expect(fake.seen.filter((request) => request.path.startsWith(path)).length).toBe(1)
  })

  test('every request is sent with redirects off, and without what is a browser’s', async () => {
    const inits: RequestInit[] = []
    const made = await world()
    const { createAgent } = await import('../../src/agent/index.ts')
    const agent = createAgent({
      identity: made.identity,
      now: () => NOW,
      fetch: (url, init) => {
        inits.push(init)
        return made.fake.fetch(url, init)
      },
    })
    const session = await agent.connect(ORIGIN, { authorization: made.authorization, scopes: ['goods:read'] })
    await session.fetch('/')
    expect(inits.length).toBe(4)
    for (const init of inits) {
      expect(init).toMatchObject({
        redirect: 'manual',
        credentials: 'omit',
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
      })
    }
  })

  test.each([
    ['not JSON', 'hello'],
    ['nested too deep', `${'['.repeat(40)}${']'.repeat(40)}`],
    ['a duplicate member', '{"type":"handshake_response","type":"handshake_response"}'],
  ])('m2 that is %s', async (_, text) => {
    const options: WorldOptions = {
      intercept: ({ path }) =>
        path === '/ath/handshake'
          ? new Response(text, { status: 201, headers: { location: '/ath/handshake/x' } })
          : undefined,
    }
    const { error, signed } = await attempt(options)
    expect({ error, signed }).toEqual({ error: 'malformed_message', signed: 0 })
  })

  test.each([
    ['an endpoint elsewhere', { handshake_endpoint: 'https://elsewhere.example/ath' }],
    ['an endpoint behind dot segments', { session_endpoint: '/ath/../sealed' }],
    ['an endpoint with two slashes', { handshake_endpoint: '//elsewhere.example/ath' }],
  ])('discovery with %s', async (_, edit) => {
    const { error } = await attempt({ discovery: (document) => ({ ...document, ...edit }) })
    expect(error).toBe('malformed_message')
  })

  test('an error object that is none', async () => {
    const options: WorldOptions = {
      intercept: ({ path }) =>
        path === '/ath/handshake' ? json(401, { type: 'error', code: 200 }) : undefined,
    }
    expect((await attempt(options)).error).toBe('peer_violation')
  })

  test('http: is refused, but on this machine where that is allowed', async () => {
    const { agent, authorization } = await world()
    const wish = { authorization, scopes: ['goods:read'] }
    expect(await refusal(agent.connect('http://shop.example', wish))).toBe('malformed_message')
    expect(await refusal(agent.connect('http://localhost:1', wish))).toBe('malformed_message')
    const local = await world({ agent: { allowPlaintextOnLoopback: true } })
    expect(await refusal(local.agent.connect('http://shop.example', wish))).toBe('malformed_message')
    expect(await refusal(local.agent.connect('http://localhost:1', wish))).toBe('transport_failed')
  })
})

test('a scope that the credential does not hold is not accepted from anyone (ATH-6.4.1)', async () => {
  const made = await world()
  const attempt = made.connect({ scopes: ['goods:read', 'user:profile'] })
  expect(await refusal(attempt)).toBe('malformed_message')
})
