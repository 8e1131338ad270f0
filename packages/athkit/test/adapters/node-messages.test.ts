import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHandler } from '../../src/http/index.ts'
import { party } from '../e2e/shop.ts'
import { served } from './echo.ts'
import { begin, type Raw, raw, until } from './raw.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const DISCOVERY = '/.well-known/ath-app.json'
const HANDSHAKE = '/ath/handshake'
const UNKNOWN = `${HANDSHAKE}/AAAAAAAAAAAAAAAAAAAAAA`
const POST = `POST ${HANDSHAKE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
const text = (body: string) => new TextEncoder().encode(body)

/** Everything that could be taken for a message or is one, none of which is answered by something that differs each time. */
const REQUESTS: readonly (readonly [string, Raw])[] = [
  ['the discovery document', { method: 'GET', path: DISCOVERY }],
  ['with a query', { method: 'GET', path: `${DISCOVERY}?x=1` }],
  ['with its path written otherwise', { method: 'GET', path: '/.well-known/ath%2Dapp.json' }],
  ['with its path written otherwise, by dots', { method: 'GET', path: `/a/..${DISCOVERY}` }],
  ['with a slash behind it', { method: 'GET', path: `${DISCOVERY}/` }],
  ['with a body', { method: 'GET', path: DISCOVERY, headers: JSON_TYPE, body: text('{}') }],
  ['its head', { method: 'HEAD', path: DISCOVERY }],
  ['a POST to it', { path: DISCOVERY, headers: JSON_TYPE, body: text('{}') }],
  ['a preflight', { method: 'OPTIONS', path: HANDSHAKE }],
  ['GET where there is only POST', { method: 'GET', path: HANDSHAKE }],
  ['DELETE', { method: 'DELETE', path: HANDSHAKE }],
  ['m1 that is no JSON', { path: HANDSHAKE, headers: JSON_TYPE, body: text('{') }],
  ['m1 that is nothing', { path: HANDSHAKE, headers: JSON_TYPE, body: text('') }],
  ['m1 that is an array', { path: HANDSHAKE, headers: JSON_TYPE, body: text('[]') }],
  ['m1 without its members', { path: HANDSHAKE, headers: JSON_TYPE, body: text('{}') }],
  ['m1 with two members of one name', { path: HANDSHAKE, headers: JSON_TYPE, body: text('{"a":1,"a":2}') }],
  ['m1 in bytes that are no text', { path: HANDSHAKE, headers: JSON_TYPE, body: Uint8Array.of(0xff) }],
  ['m1 without a media type', { path: HANDSHAKE, body: text('{}') }],
  [
    'm1 of another media type',
    { path: HANDSHAKE, headers: { 'content-type': 'text/plain' }, body: text('{}') },
  ],
  [
    'a media type with a parameter',
    { path: HANDSHAKE, headers: { 'content-type': 'application/json; charset=utf-8' }, body: text('{}') },
  ],
  [
    'a media type in capitals',
    { path: HANDSHAKE, headers: { 'content-type': 'Application/JSON' }, body: text('{}') },
  ],
  [
    'two media types',
    { path: HANDSHAKE, headers: { 'content-type': ['application/json', 'text/plain'] }, body: text('{}') },
  ],
  [
    'chunks',
    { path: HANDSHAKE, headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked' }, body: text('{}') },
  ],
  ['64 KiB', { path: HANDSHAKE, headers: JSON_TYPE, body: text(' '.repeat(65_536)) }],
  ['a byte more', { path: HANDSHAKE, headers: JSON_TYPE, body: text(' '.repeat(65_537)) }],
  ['m3 of no handshake', { path: UNKNOWN, headers: JSON_TYPE, body: text('{"type":"identity_proof"}') }],
  [
    'a flight of no handshake',
    { path: UNKNOWN, headers: JSON_TYPE, body: text('[{"type":"identity_proof"}]') },
  ],
  ['an empty flight', { path: UNKNOWN, headers: JSON_TYPE, body: text('[]') }],
  ['the outcome of no handshake', { method: 'GET', path: UNKNOWN }],
  ['no id', { path: `${HANDSHAKE}/`, headers: JSON_TYPE, body: text('{}') }],
  ['an id that is a path', { path: `${HANDSHAKE}/a/b`, headers: JSON_TYPE, body: text('{}') }],
  ['an id with escapes', { path: `${HANDSHAKE}/%41`, headers: JSON_TYPE, body: text('{}') }],
  ['an id of dots', { path: `${HANDSHAKE}/..`, headers: JSON_TYPE, body: text('{}') }],
  ['an id and a query', { path: `${UNKNOWN}?a`, headers: JSON_TYPE, body: text('{}') }],
  ['m7 of no question', { path: '/ath/confirmations/none', headers: JSON_TYPE, body: text('{}') }],
  ['m7 without an id', { path: '/ath/confirmations', headers: JSON_TYPE, body: text('{}') }],
  ['a revocation that is none', { path: '/ath/revocations', headers: JSON_TYPE, body: text('{}') }],
  ['an inbox without a token', { method: 'GET', path: '/ath/inbox' }],
]

describe('messages that go to the service as they come', () => {
  let direct: Awaited<ReturnType<typeof served>>
  let other: Awaited<ReturnType<typeof served>>
  const stops: (() => void)[] = []
  beforeAll(async () => {
    const server = await party()
    direct = await served({ direct: true, server, stops })
    other = await served({ direct: false, server, stops })
  })
  afterAll(() => {
    for (const stop of stops) stop()
  })

  test.each(REQUESTS)('are answered as through the handler: %s', async (_, request) => {
    const [one, two] = await Promise.all([raw(direct.port, request), raw(other.port, request)])
    expect(one).toEqual(two)
    expect(one.status).toBeLessThan(500)
  })

  test('are all at endpoints of ATH', () => {
    const paths = REQUESTS.map(([, { path = '' }]) => path)
    for (const path of Object.values(direct.service.endpoints)) {
      if (
        path !== direct.service.endpoints.session_endpoint &&
        path !== direct.service.endpoints.grants_endpoint
      )
        expect(paths).toContain(path)
    }
  })

  test('pass nothing in front of ATH, with a handshake and all', async () => {
    const { inFront, session } = await served({ direct: true })
    await session()
    expect(inFront).toEqual([])
  })

  test('are counted by address, which a trusted proxy names', async () => {
    const { port, events } = await served({ direct: true, trustedProxies: ['127.0.0.0/8'] })
    const from = (address: string) =>
      raw(port, { method: 'GET', path: DISCOVERY, headers: { 'x-forwarded-for': address } })
    const statuses: (number | undefined)[] = []
    for (let i = 0; i < 1250 && statuses.at(-1) !== 429; i++)
      statuses.push((await from('203.0.113.9')).status)
    expect(statuses.at(-1)).toBe(429)
    expect(statuses.length).toBeGreaterThan(1000)
    expect((await from('203.0.113.10')).status).toBe(200)
    const refused = { type: 'refused', error: 'rate_limited', address: '203.0.113.9' }
    expect(events).toContainEqual(expect.objectContaining(refused))
  })

  test('that are large are not read whole before they are refused', async () => {
    const { port } = await served({ direct: true })
    const head = `${POST}Content-Length: 10000000\r\n\r\n`
    expect((await begin(port, [head, text(' '.repeat(1000))], 'HTTP/1.1 413')).isSaid).toBe(true)
  })

  test('that say two lengths are not read whole either, where a parser lets them', async () => {
    const { port } = await served({ direct: true, http: { insecureHTTPParser: true } })
    const head = `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n`
    expect((await begin(port, [head, text(' '.repeat(70_000))], 'HTTP/1.1 413')).isSaid).toBe(true)
  })

  test('that ask for something and bring a body are not listened to for ever', async () => {
    const { port } = await served({ direct: true })
    const head = `GET ${DISCOVERY} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n`
    const { isSaid, socket } = await begin(port, [head], 'HTTP/1.1 200')
    expect(isSaid).toBe(true)
    socket.write(text(' '.repeat(2_000_000)))
    expect(await until(() => socket.closed)).toBe(true)
  })

  test('that break off leave a service that goes on', async () => {
    const { port, session } = await served({ direct: true })
    const socket = connect(port, '127.0.0.1')
    socket.write(POST)
    socket.write('Content-Length: 500\r\n\r\n{"only":"this')
    await new Promise((resolve) => setTimeout(resolve, 20))
    socket.destroy()
    expect(await session()).toBeDefined()
  })
})

test.each(['constructor', 'toString', 'PUT'])('a method that no endpoint has is 405: %s', async (method) => {
  const { service } = await served({ direct: true })
  const handle = createHandler(service)
  for (const path of [HANDSHAKE, UNKNOWN, DISCOVERY, '/ath/sealed', '/ath/inbox']) {
    const response = await handle(new Request(`https://shop.example${path}`, { method }), { address: '1' })
    expect([path, response?.status]).toEqual([path, 405])
    expect(response?.headers.get('allow')).toContain('OPTIONS')
  }
})
