import { describe, expect, test } from 'vitest'
import { refuse } from '../../src/errors.ts'
import { refused, type Seen } from './fake-server.ts'
import type { Inner, InnerAnswer } from './fake-session.ts'
import { NOW, refusal, type WorldOptions, world } from './world.ts'

async function open(options: WorldOptions = {}) {
  const made = await world(options)
  const session = await made.connect()
  const [at] = [...made.fake.sessions.values()]
  if (at === undefined) throw new Error('no session')
  return { ...made, session, at }
}

const isSealed = ({ path }: Seen) => path === '/ath/sealed'
const keyOf = ({ headers }: Inner) => new Headers(headers).get('idempotency-key')

/** Loses the first so many sealed requests, or their answers. */
function losing(times: number, when: 'request' | 'answer'): WorldOptions & { times: number } {
  const options = {
    times,
    async intercept(request: Seen, answer: () => Promise<Response>) {
      if (!isSealed(request) || options.times-- <= 0) return answer()
      if (when === 'answer') await answer()
      throw new TypeError('connection reset')
    },
  }
  return options
}

describe('a lost request or answer (ATH-7.7)', () => {
  test.each(['request', 'answer'] as const)(
    'a lost %s: again, under a new number and the same key',
    async (when) => {
      const { session, at } = await open(losing(3, when))
      const response = await session.fetch('/api/order', { method: 'POST', body: '{}' })
      expect(response.status).toBe(200)
      expect(new Set(at.inner.map(({ seq }) => seq)).size).toBe(at.inner.length)
      expect(at.inner.length).toBe(when === 'answer' ? 4 : 1)
      expect(new Set(at.inner.map(keyOf)).size).toBe(1)
      expect(keyOf(at.inner[0] as Inner)).toHaveLength(22)
    },
  )

  test('a key of the caller’s own is kept', async () => {
    const { session, at } = await open(losing(1, 'answer'))
    await session.fetch('/', { method: 'PATCH', headers: { 'Idempotency-Key': 'mine' } })
    expect(at.inner.map(keyOf)).toEqual(['mine', 'mine'])
  })

  test.each(['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])('%s needs no key', async (method) => {
    const { session, at } = await open(losing(1, 'answer'))
    await session.fetch('/', { method })
    expect(at.inner.map(keyOf)).toEqual([null, null])
  })

  test('not for ever', async () => {
    const { session, fake } = await open(losing(100, 'request'))
    expect(await refusal(session.fetch('/'))).toBe('transport_failed')
    expect(fake.seen.filter(isSealed).length).toBe(5)
  })

  test('an answer that breaks off in record 0 is a lost one', async () => {
    let times = 2
    const { session } = await open({ sealed: (bytes) => (times-- > 0 ? bytes.slice(0, 40) : bytes) })
    expect((await session.fetch('/')).status).toBe(200)
  })

  test('a stream is sent once', async () => {
    const { session, fake } = await open(losing(1, 'request'))
    const body = new Response('x').body as ReadableStream<Uint8Array>
    expect(await refusal(session.fetch('/', { method: 'POST', body }))).toBe('transport_failed')
    expect(fake.seen.filter(isSealed).length).toBe(1)
  })
})

describe('what the server asks to be done otherwise', () => {
  const once = (error: Parameters<typeof refuse>[0], more: Parameters<typeof refuse>[2], times = 1) => ({
    app: (request: Inner): InnerAnswer => {
      if (times-- > 0) throw refuse(error, 'x', more)
      return { status: 200, body: String(request.seq) }
    },
  })

  test('replayed: it goes on at next_seq (ATH-7.6)', async () => {
    const { session, at } = await open(once('replayed', { nextSeq: 1_048_576 }))
    expect(await (await session.fetch('/')).text()).toBe('1048576')
    await session.fetch('/')
    expect(at.inner.map(({ seq }) => seq)).toEqual([0, 1_048_576, 1_048_577])
  })

  test('replayed, and never back', async () => {
    const { session, at } = await open(once('replayed', { nextSeq: 0 }))
    await session.fetch('/')
    expect(at.inner.map(({ seq }) => seq)).toEqual([0, 1])
  })

  test('replayed, with no number left: new keys', async () => {
    const { session, at } = await open(once('replayed', {}))
    await session.fetch('/')
    expect(at.rotations()).toBe(1)
    expect(at.inner.at(-1)).toMatchObject({ epoch: 1, seq: 0 })
  })

  test('replayed for ever: an error', async () => {
    const { session } = await open(once('replayed', { nextSeq: 5 }, 100))
    expect(await refusal(session.fetch('/'))).toBe('replayed')
  })

  test('in_progress: the same key, after a little (ATH-7.7)', async () => {
    const { session, at, slept } = await open(once('in_progress', {}, 3))
    expect((await session.fetch('/', { method: 'POST' })).status).toBe(200)
    expect(new Set(at.inner.map(keyOf)).size).toBe(1)
    expect(slept.length).toBe(3)
  })

  test.each(['rate_limited', 'store_unavailable', 'internal'] as const)(
    '%s: after Retry-After',
    async (error) => {
      const { session, slept } = await open(once(error, { retryAfter: 9 }))
      expect((await session.fetch('/')).status).toBe(200)
      expect(slept).toEqual([9000])
    },
  )

  test('a wait that is too long is the caller’s to decide', async () => {
    const { session, slept } = await open(once('rate_limited', { retryAfter: 121 }))
    await expect(session.fetch('/')).rejects.toMatchObject({ error: 'rate_limited', retryAfter: 121 })
    expect(slept).toEqual([])
  })

  test('token_invalid: one renewal, then once more (ATH-9)', async () => {
    const { session, at } = await open(once('token_invalid', {}))
    await session.fetch('/')
    expect(at.inner.map(({ path }) => path)).toEqual(['/', '/ath/session/token', '/'])
    const again = await open(once('token_invalid', {}, 100))
    expect(await refusal(again.session.fetch('/'))).toBe('token_invalid')
    expect(again.at.inner.length).toBe(3)
  })
})

describe('rotation (ATH-7.9)', () => {
  test('every so often, once for all who come at a time; the numbers begin anew', async () => {
    const { session, at, clock, steps } = await open({ agent: { rotateEverySeconds: 100 } })
    await session.fetch('/')
    clock.now += 100
    await Promise.all(Array.from({ length: 200 }, () => session.fetch('/')))
    expect(at.rotations()).toBe(1)
    const later = at.inner.filter(({ epoch }) => epoch === 1)
    expect(new Set(later.map(({ seq }) => seq)).size).toBe(200)
    expect(steps.at(-1)).toEqual({ type: 'rotated', epoch: 1 })
    clock.now += 100
    await session.fetch('/')
    expect(at.inner.at(-1)).toMatchObject({ epoch: 2, seq: 0 })
  })

  test('a lost answer: the identical request, and the same keys on both sides', async () => {
    const lost = losing(0, 'answer')
    const { session, at } = await open(lost)
    await session.fetch('/')
    lost.times = 2
    expect(await session.rotate()).toBe(1)
    expect(at.rotations()).toBe(1)
    const bodies = at.inner.filter(({ path }) => path === '/ath/session/keys').map(({ body }) => String(body))
    expect([bodies.length, new Set(bodies).size]).toEqual([3, 1])
    expect((await session.fetch('/')).status).toBe(200)
  })

  test('one that fails holds nothing up while the keys are good', async () => {
    let times = 0
    const made = await open({
      agent: { rotateEverySeconds: 100 },
      async intercept(request, answer) {
        if (isSealed(request) && times-- > 0) throw new TypeError('connection reset')
        return answer()
      },
    })
    made.clock.now += 100
    times = 5
    expect((await made.session.fetch('/')).status).toBe(200)
    expect(made.at.rotations()).toBe(0)
    made.clock.now += 30
    await made.session.fetch('/')
    expect(made.at.rotations()).toBe(1)
  })

  test('an epoch that is not new is refused, and the old keys go on', async () => {
    const { session, at } = await open({
      app: () => ({ status: 200 }),
    })
    const keys = at.epochs.get(0)
    await session.rotate()
    at.epochs.delete(1)
    if (keys !== undefined) at.epochs.set(0, keys)
    // The next answer names epoch 1 again, which this client has seen.
    expect(await refusal(session.rotate())).toBe('session_expired')
  })

  test('keys of 86400 s are not used any more', async () => {
    const { session, fake, clock } = await open({ polls: 1, agent: { rotateEverySeconds: 86_400 } })
    clock.now += 86_400
    const before = fake.seen.length
    expect(await refusal(session.fetch('/'))).toBe('session_expired')
    expect(fake.seen.slice(before)).toEqual([])
  })
})

describe('renewal (ATH-7.10)', () => {
  test('before the token ends, once for all who come at a time', async () => {
    const { session, at, clock } = await open({ tokenTtl: 600 })
    clock.now += 540
    await Promise.all(Array.from({ length: 100 }, () => session.fetch('/')))
    expect(at.inner.filter(({ path }) => path === '/ath/session/token').length).toBe(1)
    clock.now += 540
    expect((await session.fetch('/')).status).toBe(200)
  })

  test('also one that has expired', async () => {
    const { session, clock } = await open({ tokenTtl: 600 })
    clock.now += 5000
    expect((await session.fetch('/')).status).toBe(200)
  })

  test('not where the grant is at its end too', async () => {
    const { session, at, clock } = await open({ tokenTtl: 7200, wish: { ttlSeconds: 600 } })
    clock.now += 590
    await session.fetch('/')
    expect(at.inner.map(({ path }) => path)).toEqual(['/'])
  })

  test.each([
    ['for another user', { sub: 'did:ath:other' }],
    ['with more scopes', { scope: 'goods:read order:create user:profile' }],
    ['with a looser restriction', { restrictions: { order_amount_limit: 9000 } }],
    ['of another session', { cnf: { ath_sid: 'AAAAAAAAAAAAAAAAAAAAAA' } }],
    ['beyond the grant', { exp: NOW + 90_000 }],
  ])('a token %s is refused, and the old one stays', async (_, edit) => {
    const { session, at } = await open({ renewed: (claims) => ({ ...claims, ...edit }) })
    expect(await refusal(session.renew())).toBe('token_invalid')
    await session.fetch('/')
    expect(at.inner.length).toBe(2)
    expect(session.grant.scopes).toEqual(['goods:read', 'order:create'])
  })

  test('fewer scopes are a result', async () => {
    const { session } = await open({ renewed: (claims) => ({ ...claims, scope: 'goods:read' }) })
    await session.renew()
    expect(session.grant.scopes).toEqual(['goods:read'])
  })
})

describe('hearsay (ATH-7.11)', () => {
  const saying = (error: Parameters<typeof refuse>[0], times: number): WorldOptions & { times: number } => {
    const options = {
      times,
      intercept: (request: Seen, answer: () => Promise<Response>) =>
        isSealed(request) && options.times-- > 0 ? refused(refuse(error, 'x'), NOW) : answer(),
    }
    return options
  }

  test.each(['session_unknown', 'session_expired'] as const)(
    '%s: one silent handshake, and the request again',
    async (error) => {
      const { session, fake, steps } = await open(saying(error, 1))
      expect((await session.fetch('/api/order', { method: 'POST' })).status).toBe(200)
      expect(fake.sessions.size).toBe(2)
      expect(steps.some(({ type }) => type === 'reconnected')).toBe(true)
    },
  )

  test('once for all who come at a time', async () => {
    const { session, fake } = await open(saying('session_unknown', 50))
    await Promise.all(Array.from({ length: 50 }, () => session.fetch('/')))
    expect(fake.sessions.size).toBe(2)
  })

  test('not twice within 300 s; the keys are kept', async () => {
    const said = saying('session_unknown', 1)
    const { session, fake, clock } = await open(said)
    await session.fetch('/')
    said.times = 1
    expect(await refusal(session.fetch('/'))).toBe('session_unknown')
    expect((await session.fetch('/')).status).toBe(200)
    clock.now += 300
    said.times = 1
    await session.fetch('/')
    expect(fake.sessions.size).toBe(3)
  })

  test('never where a person was asked', async () => {
    const { session, fake } = await open({ ...saying('session_unknown', 1), polls: 1 })
    expect(await refusal(session.fetch('/'))).toBe('session_unknown')
    expect(fake.handshakes.size).toBe(1)
    expect((await session.fetch('/')).status).toBe(200)
  })

  test('and not where a person would be asked now', async () => {
    const { session, fake } = await open(saying('session_unknown', 1))
    fake.set({ polls: 2 })
    expect(await refusal(session.fetch('/'))).toBe('session_unknown')
    expect(fake.sessions.size).toBe(1)
    expect((await session.fetch('/')).status).toBe(200)
  })

  test('a request under keys that were changed meanwhile goes on under the new ones', async () => {
    const { session, at, fake } = await open()
    await session.rotate()
    at.epochs.delete(0)
    expect((await session.fetch('/')).status).toBe(200)
    expect(fake.handshakes.size).toBe(1)
  })

  test('429 and 503 outside are waited for, as long as 300 s', async () => {
    let times = 1
    const { session, slept } = await open({
      intercept: (request, answer) =>
        isSealed(request) && times-- > 0
          ? refused(refuse('rate_limited', 'x', { retryAfter: 4 }), NOW)
          : answer(),
    })
    await session.fetch('/')
    expect(slept).toEqual([4000])
  })
})

describe('many at a time', () => {
  test('1000 requests: every number once, every answer its own', async () => {
    const { session, at } = await open({ app: ({ path }) => ({ status: 200, body: path }) })
    const answers = await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => (await session.fetch(`/${i}`)).text()),
    )
    expect(answers).toEqual(Array.from({ length: 1000 }, (_, i) => `/${i}`))
    expect(at.inner.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    )
  })

  test('no more wait for an answer at a time than the window can hold', async () => {
    let open_ = 0
    let most = 0
    const { session } = await open({
      agent: { concurrency: 10 },
      async intercept(request, answer) {
        if (!isSealed(request)) return answer()
        most = Math.max(most, ++open_)
        await new Promise((resolve) => setTimeout(resolve, 1))
        open_--
        return answer()
      },
    })
    await Promise.all(Array.from({ length: 100 }, () => session.fetch('/')))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(10)
  })
})
