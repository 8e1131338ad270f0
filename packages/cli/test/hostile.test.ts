import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signText } from '../../athkit/src/crypto/signature.ts'
import { json } from '../../athkit/test/agent/fake-server.ts'
import { type LocalCertificates, makeLocalCertificates } from '../src/loopback/certificates.ts'
import { createPeople } from './ath.ts'
import { anybody, startHostile } from './hostile-server.ts'

type Options = Parameters<typeof startHostile>[1]

const { at, ath, end } = createPeople()
let certificates: LocalCertificates
let other: Awaited<ReturnType<typeof anybody>>

beforeAll(async () => {
  certificates = await makeLocalCertificates()
  other = await anybody()
  writeFileSync(at('ca.pem'), certificates.ca)
  const [agent] = await Promise.all([ath('agent', 'init', '--json'), ath('user', 'init')])
  const client = ['--client', String(agent.last.did), '--scopes', 'goods:read,order:create']
  await ath('user', 'authorize', ...client, '--out', at('m0'))
}, 60_000)
afterAll(end)

/** `ath connect` to a server that does this. */
async function connect(options: Options, ...more: string[]) {
  const hostile = await startHostile(certificates, options)
  try {
    const where = [hostile.origin, '--ca', at('ca.pem'), '--server', hostile.serverDid]
    const wish = ['--authorization', at('m0'), '--scopes', 'goods:read', '--json']
    return { ...(await ath('agent', 'connect', ...where, ...wish, ...more)), served: hostile.served() }
  } finally {
    hostile.close()
  }
}

type Case = readonly [what: string, options: () => Options, error: string, rule: string, status: number]

/** Before the keys are there: nothing is asked for in a session of such a server. */
const HANDSHAKE: readonly Case[] = [
  [
    'a wrong signature',
    () => ({ m2: async (m2) => ({ ...m2, signature: await signText(other.signer, m2.nonce) }) }),
    'signature_invalid',
    'ATH-6.1.3',
    3,
  ],
  [
    'a relayed nonce',
    () => ({ m2Options: (given) => ({ ...given, audience: 'https://bank.example' }) }),
    'nonce_mismatch',
    'ATH-6.1.1',
    3,
  ],
  [
    'an altered commitment',
    () => ({ m2: (m2) => ({ ...m2, nonce: `${m2.nonce.slice(0, -3)}AAA` }) }),
    'nonce_mismatch',
    'ATH-6.1.1',
    3,
  ],
  [
    'a plain nonce',
    () => ({ m2: (m2) => ({ ...m2, nonce: 'random_654321' }) }),
    'nonce_mismatch',
    'ATH-6.1.2',
    3,
  ],
  [
    'a nonce that would be a JWT',
    () => ({ m2: (m2) => ({ ...m2, nonce: 'eyJhbGciOiJub25lIn0.e30.' }) }),
    'malformed_message',
    'ATH-5.4',
    6,
  ],
  [
    'another key than its DID’s',
    () => (server) => ({
      m2Options: (given) => ({ ...given, server: { did: server.did, signer: other.signer } }),
    }),
    'key_mismatch',
    'ATH-4.3',
    3,
  ],
  [
    'another server',
    () => ({ m2Options: (given) => ({ ...given, server: other }) }),
    'identity_unknown',
    'ATH-6.1.5',
    3,
  ],
  [
    'a version that was not offered',
    () => ({ m2: (m2) => ({ ...m2, version: '0.0' }) }),
    'no_common_version',
    'ATH-2.1',
    6,
  ],
  [
    'no TLS 1.3',
    () => ({ m2: (m2) => ({ ...m2, capabilities: ['ES256'] }) }),
    'no_common_capability',
    'ATH-2.1',
    6,
  ],
  [
    'a clock that is off',
    () => ({ m2Options: (given) => ({ ...given, now: given.now - 301 }) }),
    'timestamp_skew',
    'ATH-6',
    3,
  ],
  [
    'a handshake elsewhere',
    () => ({ location: 'https://elsewhere.example/ath/handshake/1' }),
    'malformed_message',
    'ATH-3.2',
    6,
  ],
  [
    'scopes that were not asked for',
    () => ({ m8: (m8) => ({ ...m8, scopes_granted: [...m8.scopes_granted, 'order:create'] }) }),
    'malformed_message',
    'ATH-6.4.1',
    6,
  ],
  [
    'a longer grant than announced',
    () => ({ m8: (m8) => ({ ...m8, ttl_granted: 7201 }) }),
    'malformed_message',
    'ATH-6.4.2',
    6,
  ],
  [
    'another cipher at the end',
    () => ({ m9b: (m9b) => ({ ...m9b, cipher_suite: 'CHACHA20-POLY1305' }) }),
    'malformed_message',
    'ATH-2.2',
    6,
  ],
  ['another transcript', () => ({ m9b: (m9b) => ({ ...m9b, more: true }) }), 'token_invalid', 'ATH-6.5.4', 3],
  [
    'a token for somebody else',
    () => ({ complete: (given) => ({ ...given, userDid: other.did }) }),
    'token_invalid',
    'ATH-6.5.4',
    3,
  ],
  [
    'a token by another key',
    () => (server) => ({
      complete: (given) => ({ ...given, server: { did: server.did, signer: other.signer } }),
    }),
    'token_invalid',
    'ATH-6.5.4',
    3,
  ],
  [
    'an error that is none',
    () => ({
      intercept: ({ path }) =>
        path === '/ath/handshake' ? json(401, { type: 'error', code: 200 }) : undefined,
    }),
    'peer_violation',
    'ATH-9',
    6,
  ],
  [
    'a redirect',
    () => ({
      intercept: () =>
        new Response(null, { status: 307, headers: { location: 'https://elsewhere.example/' } }),
    }),
    'peer_violation',
    'ATH-3.2',
    6,
  ],
]

describe.concurrent('ath connect to a server that breaks the rules in the handshake', () => {
  test.each(HANDSHAKE)(
    '%s',
    async (_, options, error, rule, status) => {
      const {
        last,
        status: ended,
        out,
        err,
        served,
      } = await connect(options(), '--request', 'GET /api/goods')
      expect(last).toEqual({ ok: false, error, rule, reason: expect.any(String) })
      expect(ended).toBe(status)
      expect(served).toEqual([])
      // One line, and nothing secret in it or beside it.
      expect(out.trim().split('\n')).toHaveLength(1)
      expect(out + err).not.toMatch(/eyJ[\w-]+\.eyJ|ath1:|BEGIN/)
    },
    60_000,
  )
})

const body = (...pieces: string[]) => ({ status: 200, pieces })

describe.concurrent('ath connect to a server that breaks them in the session', () => {
  test('a stream that is cut: what was answered before is told', async () => {
    const options: Options = {
      app: ({ path }) =>
        path === '/cut' ? { ...body('half'), cutShort: true } : { status: 200, body: 'whole' },
    }
    const { last, status } = await connect(options, '--request', 'GET /first', '--request', 'GET /cut')
    expect(last).toEqual({
      ok: false,
      error: 'transport_failed',
      rule: 'ATH-7.2',
      reason: expect.stringContaining('cut short'),
      scopes_granted: ['goods:read'],
      responses: [{ status: 200, body: 'whole' }],
    })
    expect(status).toBe(5)
  }, 60_000)

  test('an answer that is altered, or to another request', async () => {
    let first: Uint8Array | undefined
    const altered: Options = {
      sealed: (bytes, { path }) =>
        path === '/x' ? bytes.map((byte, at) => (at === 30 ? byte ^ 1 : byte)) : bytes,
    }
    const replayed: Options = {
      sealed: (bytes, { method }) => {
        first ??= bytes
        return method === 'GET' ? first : bytes
      },
    }
    const [one, two] = await Promise.all([
      connect(altered, '--request', 'GET /x'),
      connect(replayed, '--request', 'GET /a', '--request', 'GET /b'),
    ])
    expect(one.last).toMatchObject({ ok: false, rule: expect.stringMatching(/^ATH-7/), responses: [] })
    expect(two.last).toMatchObject({
      ok: false,
      rule: expect.stringMatching(/^ATH-7/),
      responses: [{ status: 200 }],
    })
  }, 90_000)

  test('a renewed token with more scopes', async () => {
    const options: Options = { renewed: (claims) => ({ ...claims, scope: 'goods:read order:create' }) }
    const { last, status } = await connect(options, '--renew', '--request', 'GET /x')
    expect(last).toMatchObject({ ok: false, error: 'token_invalid', rule: 'ATH-7.10', responses: [] })
    expect(status).toBe(3)
  }, 60_000)

  test('an answer that never ends', async () => {
    const endless: Options = {
      intercept: ({ path }) =>
        path === '/ath/sealed'
          ? new Response(new ReadableStream({}), { headers: { 'content-type': 'application/ath-sealed' } })
          : undefined,
    }
    const { last, status } = await connect(endless, '--request', 'GET /x', '--timeout', '1')
    expect(last).toMatchObject({ ok: false, error: 'transport_failed', reason: 'no whole answer within 1 s' })
    expect(status).toBe(5)
  }, 60_000)

  test('what it refuses itself is an answer, and no breach', async () => {
    const options: Options = {
      app: () => ({
        status: 403,
        ath: true,
        body: JSON.stringify({
          type: 'error',
          code: 403,
          error: 'scope_denied',
          message: '',
          retryable: false,
          timestamp: 0,
        }),
      }),
    }
    const { last, status } = await connect(options, '--request', 'GET /x')
    expect(last).toMatchObject({ ok: true, responses: [{ status: 403, body: { error: 'scope_denied' } }] })
    expect(status).toBe(0)
  }, 60_000)

  test('its own words beside a refusal are told as such, and do not steer the terminal', async () => {
    const message = 'Not today.\u001b[2K Call \u202e 911'
    const refusal = {
      type: 'error',
      code: 403,
      error: 'policy_denied',
      message,
      retryable: false,
      timestamp: 0,
    }
    const options: Options = {
      intercept: ({ path }) => (path === '/ath/handshake' ? json(403, refusal) : undefined),
    }
    const { last, status } = await connect(options)
    expect(last).toMatchObject({
      ok: false,
      error: 'policy_denied',
      said: expect.stringContaining('Not today.'),
    })
    expect(last).not.toHaveProperty('rule')
    expect(['\u001b', '\u202e'].filter((one) => String(last.said).includes(one))).toEqual([])
    expect(status).toBe(4)
  }, 60_000)
})
