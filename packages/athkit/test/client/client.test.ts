import { describe, expect, test, vi } from 'vitest'
import {
  abortable,
  again,
  backoff,
  call,
  createTransport,
  deadline,
  originOf,
  retryAfterOf,
  sleep,
} from '../../src/client/index.ts'
import { AthError, type HandshakeError, refuse } from '../../src/errors.ts'

const url = 'https://shop.example/'
const answering = (response: () => Response | Promise<Response>) =>
  call(createTransport({ fetch: async () => response(), answerWithin: 50 }), { url, method: 'GET' })

describe('call', () => {
  test('gives what is JSON, strictly', async () => {
    await expect(answering(() => new Response('{"a":1}'))).resolves.toMatchObject({
      status: 200,
      body: { a: 1 },
    })
    await expect(answering(() => new Response('{"a":1,"a":2}'))).rejects.toMatchObject({
      error: 'malformed_message',
    })
    await expect(answering(() => new Response('\uFEFF{}'))).rejects.toMatchObject({
      error: 'malformed_message',
    })
  })

  test('64 KiB and no byte more', async () => {
    const text = (length: number) => `"${'x'.repeat(length - 2)}"`
    await expect(answering(() => new Response(text(65_536)))).resolves.toMatchObject({ status: 200 })
    await expect(answering(() => new Response(text(65_537)))).rejects.toMatchObject({
      trouble: 'peer_violation',
    })
  })

  test('an error object is an error of its name; what it says beside that is a hint, and no message', async () => {
    const wire = { ...refuse('credential_expired', 'private').toWire(1), message: '\u202E secret' }
    const attempt = answering(() => Response.json(wire, { status: 401, headers: { 'retry-after': '3' } }))
    await expect(attempt).rejects.toMatchObject({
      name: 'IdentityError',
      error: 'credential_expired',
      retryAfter: 3,
      hint: '\ufffd secret',
    })
    await attempt.catch((error: HandshakeError) => expect(error.message).not.toContain('secret'))
  })

  test.each([
    ['another code than its status', { ...refuse('credential_expired', 'x').toWire(1) }, 403],
    ['a name that is none', { ...refuse('credential_expired', 'x').toWire(1), error: 'constructor' }, 401],
    ['no object at all', 'no', 400],
  ])('an error with %s is a violation', async (_, body, status) => {
    await expect(answering(() => Response.json(body, { status }))).rejects.toMatchObject({
      trouble: 'peer_violation',
    })
  })

  test.each([
    ['a bare 400: it was cut on the way', 400, null, 'transport_failed'],
    ['a bare 408', 408, '<h1>Request Timeout</h1>', 'transport_failed'],
    ['a page with a 502', 502, '<h1>Bad Gateway</h1>', 'transport_failed'],
    ['a page with a 403: somebody’s word, but not in our language', 403, '<h1>No</h1>', 'peer_violation'],
    ['a bare 404', 404, null, 'peer_violation'],
  ])('%s', async (_, status, body, trouble) => {
    await expect(answering(() => new Response(body, { status }))).rejects.toMatchObject({ trouble })
  })

  test('a redirect that a browser hides', async () => {
    const hidden = Object.defineProperty(Response.error(), 'type', { value: 'opaqueredirect' })
    const location = { location: '/' }
    const plain = new Response(null, { status: 302, headers: location })
    for (const response of [hidden, plain]) {
      const attempt = answering(() => response)
      await expect(attempt).rejects.toMatchObject({ trouble: 'peer_violation', rule: 'ATH-3.2' })
    }
  })

  test('the time it takes, body included', async () => {
    const slow = () => new Response(new ReadableStream({}))
    await expect(answering(slow)).rejects.toMatchObject({ trouble: 'transport_failed' })
  })

  test('no timer and no listener outlives it', async () => {
    vi.useFakeTimers()
    try {
      const controller = new AbortController()
      const remove = vi.spyOn(controller.signal, 'removeEventListener')
      const transport = createTransport({ fetch: async () => new Response('{}') })
      await call(transport, { url, method: 'GET', signal: controller.signal })
      expect(vi.getTimerCount()).toBe(0)
      expect(remove).toHaveBeenCalled()
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('again', () => {
  const at = { sleep: async () => undefined }

  test('not for what will not be otherwise', async () => {
    for (const error of [
      refuse('signature_invalid', 'x'),
      refuse('handshake_timeout', 'x'),
      new AthError('peer_violation', 'x'),
      new TypeError('x'),
    ]) {
      const work = vi.fn(async () => {
        throw error
      })
      await expect(again(at, work)).rejects.toBe(error)
      expect(work).toHaveBeenCalledTimes(1)
    }
  })

  test('five times at most', async () => {
    const work = vi.fn(async () => {
      throw new AthError('transport_failed', 'x')
    })
    await expect(again(at, work)).rejects.toMatchObject({ trouble: 'transport_failed' })
    expect(work).toHaveBeenCalledTimes(5)
  })

  test('waits add up to no more than its patience', async () => {
    const slept: number[] = []
    const work = async () => {
      throw refuse('rate_limited', 'x', { retryAfter: 20 })
    }
    const attempts = { sleep: async (milliseconds: number) => void slept.push(milliseconds), patience: 45 }
    await expect(again(attempts, work)).rejects.toMatchObject({ error: 'rate_limited' })
    expect(slept).toEqual([20_000, 20_000])
  })
})

describe('time', () => {
  test('sleep ends with its signal', async () => {
    const controller = new AbortController()
    const slept = sleep(60_000, controller.signal)
    controller.abort(new Error('enough'))
    await expect(slept).rejects.toThrow('enough')
    await expect(sleep(60_000, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
  })

  test('abortable lets go of what ignores the signal', async () => {
    const controller = new AbortController()
    const never = abortable(new Promise(() => undefined), controller.signal)
    controller.abort(new Error('enough'))
    await expect(never).rejects.toThrow('enough')
  })

  test('a deadline tells its own end from the caller’s', async () => {
    const own = deadline(1, undefined)
    await new Promise((resolve) => own.signal.addEventListener('abort', resolve))
    expect(own.expired()).toBe(true)
    const controller = new AbortController()
    const callers = deadline(60_000, controller.signal)
    controller.abort(new Error('enough'))
    expect([callers.signal.aborted, callers.expired()]).toEqual([true, false])
    callers.clear()
  })

  test('backoff grows, with jitter, to a bound', () => {
    expect([0, 1, 2, 10].map((attempt) => backoff(attempt, 0))).toEqual([250, 500, 1000, 8000])
    expect([0, 1, 2, 10].map((attempt) => backoff(attempt, 1))).toEqual([125, 250, 500, 4000])
  })
})

test('Retry-After in seconds, and nothing else', () => {
  const of = (value: string) => retryAfterOf(new Headers({ 'retry-after': value }))
  expect([of('0'), of('17'), of('-1'), of('1.5'), of('Wed, 21 Oct 2015 07:28:00 GMT')]).toEqual([
    0,
    17,
    undefined,
    undefined,
    undefined,
  ])
})

test('the origin of an address; the path is of no account', () => {
  expect(originOf('https://shop.example/a/b?c')).toBe('https://shop.example')
  expect(() => originOf('http://shop.example')).toThrow('malformed_message')
  expect(() => originOf('https://shop.example.')).toThrow('malformed_message')
  expect(originOf('http://127.0.0.1:8080/x', { allowPlaintextOnLoopback: true })).toBe(
    'http://127.0.0.1:8080',
  )
})

test('a platform without fetch says so', () => {
  vi.stubGlobal('fetch', undefined)
  try {
    expect(() => createTransport({})).toThrow(TypeError)
  } finally {
    vi.unstubAllGlobals()
  }
})
