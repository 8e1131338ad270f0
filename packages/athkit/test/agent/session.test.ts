import { describe, expect, test } from 'vitest'
import { refuse } from '../../src/errors.ts'
import type { Inner, InnerAnswer } from './fake-session.ts'
import { refusal, type WorldOptions, world } from './world.ts'

const text = (body: Uint8Array) => new TextDecoder().decode(body)

async function open(options: WorldOptions = {}) {
  const made = await world(options)
  const session = await made.connect()
  const [server] = [...made.fake.sessions.values()]
  if (server === undefined) throw new Error('no session')
  const sealed = () => made.fake.seen.filter(({ path }) => path === '/ath/sealed')
  return { ...made, session, at: server, sealed }
}

const echo = (request: Inner): InnerAnswer => ({
  status: 200,
  headers: [['content-type', 'application/json']],
  body: JSON.stringify({ ...request, body: text(request.body) }),
})

describe('fetch, sealed', () => {
  test('nothing of the request is outside', async () => {
    const { session, sealed } = await open({ app: echo })
    await session.fetch('/api/goods?keyword=phone', { headers: { 'x-secret': 'phone' } })
    const [outer] = sealed()
    expect(outer?.headers.get('content-type')).toBe('application/ath-sealed')
    expect([...(outer?.headers.keys() ?? [])].sort()).toEqual(['accept', 'content-type'])
    expect(text(outer?.body ?? new Uint8Array())).not.toMatch(/phone|Bearer|goods/)
  })

  test('method, path, query, headers and the token arrive', async () => {
    const { session } = await open({ app: echo })
    const inner = await (
      await session.fetch('/api/goods?keyword=phone', { headers: { 'X-One': '1' } })
    ).json()
    expect(inner).toMatchObject({ method: 'GET', path: '/api/goods?keyword=phone', body: '' })
    const headers = new Headers(inner.headers)
    expect(headers.get('x-one')).toBe('1')
    expect(headers.get('authorization')).toMatch(/^Bearer eyJ/)
    expect(headers.has('idempotency-key')).toBe(false)
  })

  const form = new FormData()
  form.set('name', 'value')
  const streamed = () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('one '))
        controller.enqueue(new TextEncoder().encode('two'))
        controller.close()
      },
    })
  const bodies: [string, () => BodyInit, RegExp, RegExp][] = [
    ['a string', () => 'text', /^text$/, /^text\/plain/],
    ['bytes', () => new Uint8Array([104, 105]), /^hi$/, /^$/],
    ['an ArrayBuffer', () => new Uint8Array([104, 105]).buffer, /^hi$/, /^$/],
    ['a Blob', () => new Blob(['blob'], { type: 'text/x' }), /^blob$/, /^text\/x$/],
    [
      'URLSearchParams',
      () => new URLSearchParams({ a: '1', b: '2' }),
      /^a=1&b=2$/,
      /^application\/x-www-form-urlencoded/,
    ],
    ['FormData', () => form, /name="name"\r\n\r\nvalue/, /^multipart\/form-data; boundary=/],
    ['a stream', streamed, /^one two$/, /^$/],
  ]
  test.each(bodies)('a body that is %s', async (_, body, expected, type) => {
    const { session } = await open({ app: echo })
    const inner = await (await session.fetch('/api', { method: 'POST', body: body() })).json()
    expect(inner.body).toMatch(expected)
    expect(new Headers(inner.headers).get('content-type') ?? '').toMatch(type)
  })

  test('a Request, with its own body and headers', async () => {
    const { session } = await open({ app: echo })
    const request = new Request('https://shop.example/api/order', {
      method: 'PUT',
      body: 'x',
      headers: { 'x-one': '1' },
    })
    const inner = await (await session.fetch(request)).json()
    expect(inner).toMatchObject({ method: 'PUT', path: '/api/order', body: 'x' })
    expect(new Headers(inner.headers).get('x-one')).toBe('1')
  })

  test('what is the connection’s stays outside, and the token is the session’s', async () => {
    const { session } = await open({ app: echo })
    const headers = {
      Authorization: 'Bearer x',
      'X-Forwarded-For': '1.2.3.4',
      Via: 'x',
      TE: 'trailers',
      'Accept-Encoding': 'gzip',
    }
    const inner = await (await session.fetch('/', { headers })).json()
    const names = inner.headers.map(([name]: [string]) => name).sort()
    expect(names).toEqual(['accept', 'authorization'])
    expect(new Headers(inner.headers).get('authorization')).not.toBe('Bearer x')
  })

  test('another origin is refused, and nothing is sent', async () => {
    const { session, sealed } = await open()
    for (const url of [
      'https://elsewhere.example/',
      '//elsewhere.example/',
      new URL('http://shop.example/'),
      'https://shop.example:444/',
    ]) {
      await expect(session.fetch(url)).rejects.toThrow(TypeError)
    }
    expect(sealed()).toEqual([])
  })

  test('the application’s own refusals are answers', async () => {
    for (const status of [400, 401, 403, 404, 409, 429, 500, 503]) {
      const { session, sealed } = await open({ app: () => ({ status, body: 'no' }) })
      const response = await session.fetch('/')
      expect([response.status, await response.text()]).toEqual([status, 'no'])
      expect(sealed().length).toBe(1)
    }
  })

  test('request: a line, and JSON', async () => {
    const { session } = await open({ app: echo })
    const inner = await (
      await session.request('POST /api/order', { json: { goods_id: '123', quantity: 1 } })
    ).json()
    expect(inner).toMatchObject({
      method: 'POST',
      path: '/api/order',
      body: '{"goods_id":"123","quantity":1}',
    })
    expect(new Headers(inner.headers).get('content-type')).toBe('application/json')
    expect(() => session.request('GET')).toThrow(TypeError)
  })

  test('204 and HEAD have no body; url and redirected are as of fetch', async () => {
    const { session } = await open({ app: ({ method }) => ({ status: method === 'HEAD' ? 200 : 204 }) })
    const [head, none] = [await session.fetch('/a?b', { method: 'HEAD' }), await session.fetch('/a?b')]
    expect([head.body, none.body, none.status]).toEqual([null, null, 204])
    expect([none.url, none.redirected]).toEqual(['https://shop.example/a?b', false])
  })
})

describe('redirects of the application', () => {
  const redirecting =
    (status: number, location: string) =>
    ({ path, ...rest }: Inner): InnerAnswer =>
      path === '/from' ? { status, headers: [['location', location]] } : echo({ path, ...rest })

  test.each([
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', 'x'],
    [308, 'POST', 'x'],
  ])('%i of a POST goes on as %s, sealed', async (status, method, body) => {
    const { session, sealed } = await open({ app: redirecting(status, '/to?x=1') })
    const response = await session.fetch('/from', { method: 'POST', body: 'x' })
    expect(await response.json()).toMatchObject({ method, body, path: '/to?x=1' })
    expect([response.redirected, response.url]).toEqual([true, 'https://shop.example/to?x=1'])
    expect(sealed().length).toBe(2)
  })

  test('to another origin: refused', async () => {
    const { session, sealed } = await open({ app: redirecting(302, 'https://elsewhere.example/') })
    await expect(session.fetch('/from')).rejects.toThrow(TypeError)
    expect(sealed().length).toBe(1)
  })

  test('manual gives it to the caller, error refuses it', async () => {
    const { session } = await open({ app: redirecting(302, '/to') })
    expect((await session.fetch('/from', { redirect: 'manual' })).headers.get('location')).toBe('/to')
    await expect(session.fetch('/from', { redirect: 'error' })).rejects.toThrow(TypeError)
  })

  test('not in a circle', async () => {
    const { session, sealed } = await open({ app: redirecting(302, '/from') })
    await expect(session.fetch('/from')).rejects.toThrow(TypeError)
    expect(sealed().length).toBe(21)
  })

  test('each hop has a key of its own (ATH-7.7)', async () => {
    const keys: (string | null)[] = []
    const app = (request: Inner): InnerAnswer => {
      keys.push(new Headers(request.headers).get('idempotency-key'))
      return redirecting(307, '/to')(request)
    }
    const { session } = await open({ app })
    await session.fetch('/from', { method: 'POST', headers: { 'Idempotency-Key': 'mine' } })
    await session.fetch('/from', { method: 'POST' })
    expect(keys.slice(0, 2)).toEqual(['mine', 'mine:1'])
    expect(new Set(keys).size).toBe(4)
  })
})

describe('streams', () => {
  test('an answer is given as it comes', async () => {
    const { session } = await open({ app: () => ({ status: 200, pieces: ['one', 'two', 'three'] }) })
    const chunks: string[] = []
    for await (const chunk of (await session.fetch('/')).body as unknown as AsyncIterable<Uint8Array>)
      chunks.push(text(chunk))
    expect(chunks).toEqual(['one', 'two', 'three'])
  })

  test('one that is cut short is no whole one', async () => {
    const { session } = await open({ app: () => ({ status: 200, pieces: ['one', 'two'], cutShort: true }) })
    const response = await session.fetch('/')
    expect(await refusal(response.text())).toBe('transport_failed')
  })

  test.each([
    ['bytes behind the last record', (bytes: Uint8Array) => new Uint8Array([...bytes, 0])],
    [
      'an altered last byte',
      (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)),
    ],
  ])('%s', async (_, sealed) => {
    const { session } = await open({ app: () => ({ status: 200, pieces: ['one', 'two'] }), sealed })
    const response = await session.fetch('/')
    expect(await refusal(response.text())).toBe('transport_failed')
  })

  test('the caller’s signal ends an answer that goes on', async () => {
    const controller = new AbortController()
    const { session } = await open({
      intercept: async ({ path }, answer) => {
        if (path !== '/ath/sealed') return answer()
        const bytes = new Uint8Array(await (await answer()).arrayBuffer())
        const body = new ReadableStream({ start: (stream) => stream.enqueue(bytes.slice(0, -20)) })
        return new Response(body, { headers: { 'content-type': 'application/ath-sealed' } })
      },
      app: () => ({ status: 200, pieces: ['one', 'two'] }),
    })
    const response = await session.fetch('/', { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 5)
    await expect(response.text()).rejects.toThrow('enough')
  })
})

describe('a hostile server, or somebody before it', () => {
  test('a replayed answer does not open for another request', async () => {
    let first: Uint8Array | undefined
    const { session } = await open({
      sealed: (bytes) => {
        first ??= bytes
        return first
      },
    })
    expect((await session.fetch('/')).status).toBe(200)
    expect(await refusal(session.fetch('/'))).toBe('peer_violation')
  })

  test('an altered record 0', async () => {
    const { session } = await open({
      sealed: (bytes) => bytes.map((byte, at) => (at === 30 ? byte ^ 1 : byte)),
    })
    expect(await refusal(session.fetch('/'))).toBe('peer_violation')
  })

  test('an answer in the clear is never taken for the application’s', async () => {
    const { session } = await open({
      intercept: ({ path }) => (path === '/ath/sealed' ? new Response('hello', { status: 200 }) : undefined),
    })
    expect(await refusal(session.fetch('/'))).toBe('peer_violation')
  })

  test('an endless answer of ATH’s own', async () => {
    const pieces = Array.from({ length: 100 }, () => 'x'.repeat(1000))
    const { session } = await open({ app: () => ({ status: 403, ath: true, pieces }) })
    expect(await refusal(session.fetch('/'))).toBe('peer_violation')
  })

  test.each([
    ['before its seal', 200, 'application/ath-sealed'],
    ['in the clear', 500, 'application/json'],
  ])('an answer that drips for ever %s ends', async (_, status, type) => {
    let open_ = 0
    const dripping = () => {
      let timer: NodeJS.Timeout
      open_++
      const body = new ReadableStream<Uint8Array>({
        start: (stream) => {
          timer = setInterval(() => stream.enqueue(new Uint8Array([1])), 2)
        },
        cancel: () => {
          open_--
          clearInterval(timer)
        },
      })
      return new Response(body, { status, headers: { 'content-type': type } })
    }
    const { session } = await open({
      agent: { headWithin: 30 },
      intercept: ({ path }) => (path === '/ath/sealed' ? dripping() : undefined),
    })
    expect(await refusal(session.fetch('/'))).toMatch(/^(transport_failed|peer_violation)$/)
    expect(open_).toBe(0)
  })

  test('an answer that never comes ends, and is asked for again', async () => {
    const { session, sealed } = await open({
      agent: { headWithin: 20 },
      intercept: ({ path }) => (path === '/ath/sealed' ? new Promise<never>(() => undefined) : undefined),
    })
    expect(await refusal(session.fetch('/'))).toBe('transport_failed')
    expect(sealed().length).toBe(5)
  })
})

describe('ATH’s own refusals are errors', () => {
  test.each([
    ['scope_denied', 'PermissionError'],
    ['restriction_violated', 'PermissionError'],
    ['grant_revoked', 'IdentityError'],
    ['timestamp_skew', 'IdentityError'],
    ['malformed_message', 'HandshakeError'],
    ['idempotency_conflict', 'HandshakeError'],
    ['outcome_unknown', 'HandshakeError'],
  ] as const)('%s', async (error, name) => {
    const { session, sealed } = await open({
      app: () => {
        throw refuse(error, 'x')
      },
    })
    await expect(session.fetch('/')).rejects.toMatchObject({ name, error })
    expect(sealed().length).toBe(1)
  })
})

describe('close', () => {
  test('ends it on both sides, once', async () => {
    const { session, at, sealed } = await open()
    await session.close()
    await session.close()
    expect([at.ended, sealed().length]).toEqual([true, 1])
    expect(await refusal(session.fetch('/'))).toBe('session_closed')
    expect(await refusal(session.rotate())).toBe('session_closed')
    expect(session.grant.scopes).toEqual(['goods:read', 'order:create'])
  })

  test('a session that the server does not know any more is closed', async () => {
    const { session, at } = await open()
    at.ended = true
    await expect(session.close()).resolves.toBeUndefined()
  })
})
