import { describe, expect, test } from 'vitest'
import { IdentityError, refuse } from '../../src/errors.ts'
import { json, refused, type Seen } from './fake-server.ts'
import { NOW, refusal, type WorldOptions, world } from './world.ts'

const isFlight = ({ method, path }: Seen) => method === 'POST' && path.startsWith('/ath/handshake/')
const isBegin = ({ path }: Seen) => path === '/ath/handshake'
const texts = (requests: readonly Seen[]) => requests.map(({ body }) => new TextDecoder().decode(body))

/** Fails the first so many requests of a kind, before the server sees them or after it has answered. */
function failing(
  kind: (request: Seen) => boolean,
  times: number,
  how: 'before' | 'after' | (() => Response),
): WorldOptions {
  let left = times
  return {
    async intercept(request, answer) {
      if (!kind(request) || left-- <= 0) return answer()
      if (typeof how === 'function') return how()
      if (how === 'after') await answer()
      throw new TypeError('connection reset')
    },
  }
}

describe('lost answers', () => {
  test('m1 is made anew, with a new nonce', async () => {
    const { connect, fake } = await world(failing(isBegin, 2, 'after'))
    await connect()
    const nonces = texts(fake.seen.filter(isBegin)).map((text) => JSON.parse(text).nonce)
    expect(new Set(nonces).size).toBe(3)
  })

  test.each(['before', 'after'] as const)('a flight lost %s is sent again, byte for byte', async (when) => {
    const { connect, fake, identity } = await world(failing(isFlight, 3, when))
    const session = await connect()
    expect(new Set(texts(fake.seen.filter(isFlight))).size).toBe(1)
    expect(fake.seen.filter(isFlight).length).toBe(4)
    expect(identity.signed()).toBe(3)
    expect((await session.fetch('/')).status).toBe(200)
  })

  test('not for ever', async () => {
    const { connect, fake } = await world(failing(isFlight, 100, 'before'))
    expect(await refusal(connect())).toBe('transport_failed')
    expect(fake.seen.filter(isFlight).length).toBe(5)
  })

  test('a poll that is lost is made again', async () => {
    const polls = failing(
      ({ method, path }) => method === 'GET' && path.startsWith('/ath/handshake/'),
      3,
      'before',
    )
    const { connect } = await world({ ...polls, polls: 2 })
    await expect(connect()).resolves.toBeDefined()
  })

  test('a gateway’s page in the way of an answer is a lost answer', async () => {
    const { connect } = await world(
      failing(isFlight, 2, () => new Response('<h1>Bad gateway</h1>', { status: 502 })),
    )
    await expect(connect()).resolves.toBeDefined()
  })
})

describe('the error table (ATH-9)', () => {
  const wire = (error: Parameters<typeof refuse>[0], retryAfter?: number) => () =>
    refused(refuse(error, 'x', retryAfter === undefined ? {} : { retryAfter }), NOW)

  test.each([
    'identity_unknown',
    'key_mismatch',
    'signature_invalid',
    'credential_invalid',
    'credential_expired',
    'credential_revoked',
    'handshake_replayed',
    'timestamp_skew',
    'nonce_mismatch',
  ] as const)('401 %s is an IdentityError, not tried again', async (error) => {
    const { connect, fake } = await world(failing(isFlight, 1, wire(error)))
    const attempt = connect()
    await expect(attempt).rejects.toThrow(IdentityError)
    await expect(attempt).rejects.toMatchObject({ error, code: 401, rule: undefined })
    expect(fake.seen.filter(isFlight).length).toBe(1)
  })

  test('a failed m4 says why', async () => {
    const error = { ...refuse('signature_invalid', 'x').toWire(NOW) }
    const m4 = { type: 'identity_result', success: false, error, timestamp: NOW }
    const { connect } = await world(failing(isFlight, 1, () => json(401, [m4])))
    await expect(connect()).rejects.toMatchObject({ error: 'signature_invalid', step: 'm4' })
  })

  test('403 policy_denied is a PermissionError', async () => {
    const { connect } = await world(failing(isFlight, 1, wire('policy_denied')))
    await expect(connect()).rejects.toMatchObject({ name: 'PermissionError', error: 'policy_denied' })
  })

  test.each([
    'malformed_message',
    'no_common_version',
    'scopes_invalid',
    'message_too_large',
    'out_of_order',
  ] as const)('%s is not tried again', async (error) => {
    const { connect, fake } = await world(failing(isFlight, 1, wire(error)))
    expect(await refusal(connect())).toBe(error)
    expect(fake.seen.filter(isFlight).length).toBe(1)
  })

  test.each(['handshake_timeout', 'confirmation_timeout', 'handshake_unknown'] as const)(
    '%s: a new handshake, at most three times, each after a longer while',
    async (error) => {
      const { connect, fake, slept } = await world(failing(isFlight, 100, wire(error)))
      expect(await refusal(connect())).toBe(error)
      expect(fake.seen.filter(isBegin).length).toBe(4)
      expect(slept.length).toBe(3)
      for (const [attempt, wait] of slept.entries()) {
        expect(wait).toBeGreaterThanOrEqual(250 * 2 ** attempt)
        expect(wait).toBeLessThanOrEqual(500 * 2 ** attempt)
      }
    },
  )

  test('408 once: the second handshake is another one', async () => {
    const { connect, fake } = await world(failing(isFlight, 1, wire('handshake_timeout')))
    await connect()
    expect(fake.handshakes.size).toBe(2)
  })

  test.each(['rate_limited', 'store_unavailable', 'resolver_unavailable', 'internal'] as const)(
    '%s: the same message after Retry-After',
    async (error) => {
      const { connect, fake, slept } = await world(failing(isFlight, 2, wire(error, 7)))
      await connect()
      expect(slept).toEqual([7000, 7000])
      expect(new Set(texts(fake.seen.filter(isFlight))).size).toBe(1)
      expect(fake.handshakes.size).toBe(1)
    },
  )

  test('a wait that a handshake does not outlive: a new one after it', async () => {
    const { connect, fake, slept } = await world(failing(isFlight, 1, wire('rate_limited', 120)))
    await connect()
    expect(slept).toEqual([120_000])
    expect(fake.handshakes.size).toBe(2)
  })

  test('nobody waits longer than 300 s because a server says so (ATH-7.11)', async () => {
    const { connect, slept } = await world(failing(isFlight, 1, wire('rate_limited', 301)))
    await expect(connect()).rejects.toMatchObject({ error: 'rate_limited', retryAfter: 301 })
    expect(slept).toEqual([])
  })
})

describe('waiting for the user ends', () => {
  test('at the deadline, with a margin, by the server’s own clock', async () => {
    const made = await world({
      polls: 1e6,
      wish: {},
      pending: (pending) => ({ ...pending, expires_at: NOW + 30, timestamp: NOW }),
    })
    const started = made.clock.now
    expect(await refusal(made.connect())).toBe('confirmation_timeout')
    // Four handshakes of 60 s, and the pauses between them.
    expect(made.clock.now - started).toBeLessThan(300)
    expect(made.fake.handshakes.size).toBe(4)
  })
})

describe('AbortSignal, wherever it waits', () => {
  const places: [string, (request: Seen) => boolean][] = [
    ['discovery', ({ path }) => path.startsWith('/.well-known')],
    ['m1', isBegin],
    ['the flight', isFlight],
    ['a poll', ({ method, path }) => method === 'GET' && path.startsWith('/ath/handshake/')],
  ]
  test.each(places)('%s', async (_, kind) => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const { connect } = await world({
      polls: 3,
      intercept(request) {
        if (!kind(request)) return undefined
        setTimeout(() => controller.abort(reason), 5)
        return new Promise<never>(() => undefined)
      },
    })
    await expect(connect({ signal: controller.signal })).rejects.toBe(reason)
  })

  test('between two attempts', async () => {
    const controller = new AbortController()
    const { connect } = await world(failing(isFlight, 100, 'before'))
    const attempt = connect({
      signal: controller.signal,
      onStep: (event) => event.type === 'retrying' && controller.abort(new Error('enough')),
    })
    await expect(attempt).rejects.toThrow('enough')
  })

  test('before anything', async () => {
    const { connect, fake } = await world()
    await expect(connect({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
    expect(fake.seen.length).toBe(0)
  })
})
