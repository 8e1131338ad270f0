import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { served } from './echo.ts'
import { begin, type Raw, raw, until } from './raw.ts'

const SEALED = { 'content-type': 'application/ath-sealed' }
const garbage = (length: number) => new Uint8Array(length).fill(7)

/** @returns whether a body is refused before it has come */
const begun = async (port: number, length: string): Promise<boolean> => {
  const head = `POST /ath/sealed HTTP/1.1\r\nHost: x\r\nContent-Type: application/ath-sealed\r\n${length}`
  return (await begin(port, [head, garbage(1000)], 'HTTP/1.1 400')).isSaid
}

describe('sealed requests that go to the service as they come', () => {
  test.each([0, 1, 1024, 65_000, 65_536, 70_000, 300_000])('arrive whole: %i bytes', async (length) => {
    const { session } = await served({ direct: true })
    const text = 'x'.repeat(length)
    const response = await (await session()).fetch('/echo', { method: 'PUT', body: text })
    expect(await response.text()).toBe(text)
  })

  test('are answered as a stream where the application streams', async () => {
    const { session } = await served({ direct: true })
    const response = await (await session()).fetch('/ticks')
    expect(await response.text()).toBe('data: one\n\ndata: two\n\n')
  })

  test('pass nothing in front of ATH; what is inside does', async () => {
    const { inFront, session } = await served({ direct: true })
    await (await session()).fetch('/echo', { method: 'PUT', body: 'hello' })
    expect(inFront).toEqual(['PUT /echo'])
  })

  test('have an address to be judged by, which a trusted proxy names', async () => {
    const { port, events } = await served({ direct: true, trustedProxies: ['127.0.0.0/8'] })
    await raw(port, { headers: { ...SEALED, 'x-forwarded-for': '203.0.113.9' }, body: garbage(100) })
    expect(events).toContainEqual(expect.objectContaining({ type: 'refused', address: '203.0.113.9' }))
  })

  test('are aborted when the client goes away', async () => {
    const { aborted, inFront, session } = await served({ direct: true })
    const gone = new AbortController()
    const asked = (await session()).fetch('/slow', { signal: gone.signal })
    const failed = expect(asked).rejects.toThrow()
    expect(await until(() => inFront.includes('GET /slow'))).toBe(true)
    gone.abort()
    await failed
    expect(await until(() => aborted.includes('/slow'))).toBe(true)
  })

  test('that break off leave a service that goes on', async () => {
    const { port, session } = await served({ direct: true })
    const socket = connect(port, '127.0.0.1')
    socket.write('POST /ath/sealed HTTP/1.1\r\nHost: x\r\nContent-Type: application/ath-sealed\r\n')
    socket.write('Content-Length: 500\r\n\r\nonly this')
    await new Promise((resolve) => setTimeout(resolve, 20))
    socket.destroy()
    expect((await (await session()).fetch('/echo', { method: 'PUT', body: 'hello' })).status).toBe(200)
  })

  test('that are large are not read whole before they are judged', async () => {
    const { port } = await served({ direct: true })
    expect(await begun(port, 'Content-Length: 10000000\r\n\r\n')).toBe(true)
  })

  test('that say two lengths are not read whole either, where a parser lets them', async () => {
    const { port } = await served({ direct: true, http: { insecureHTTPParser: true } })
    expect(await begun(port, 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n')).toBe(true)
  })

  test('that come byte by byte are whole in the end', async () => {
    const { port, session } = await served({ direct: true })
    const { fetch } = globalThis
    const bytewise: typeof fetch = async (url, init) => {
      const { pathname } = new URL(String(url))
      const body = new Uint8Array(await new Response(init?.body).arrayBuffer())
      const socket = connect(port, '127.0.0.1').setNoDelay()
      socket.write(`POST ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`)
      socket.write(`Content-Type: ${SEALED['content-type']}\r\nContent-Length: ${body.length}\r\n\r\n`)
      for (const byte of body) {
        socket.write(Uint8Array.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      const answer = Buffer.concat(await socket.toArray())
      return new Response(answer.subarray(answer.indexOf('\r\n\r\n') + 4), { headers: SEALED })
    }
    const made = await session()
    globalThis.fetch = bytewise
    try {
      expect(await (await made.fetch('/echo', { method: 'PUT', body: 'hello' })).text()).toBe('hello')
    } finally {
      globalThis.fetch = fetch
    }
  })

  test.each<[string, Raw]>([
    ['garbage', { headers: SEALED, body: garbage(200) }],
    ['nothing', { headers: SEALED, body: garbage(0) }],
    ['an unknown session', { headers: SEALED, body: new Uint8Array(200) }],
    [
      'two media types',
      { headers: { 'content-type': [SEALED['content-type'], 'text/plain'] }, body: garbage(200) },
    ],
    ['another media type', { headers: { 'content-type': 'text/plain' }, body: garbage(200) }],
    ['parameters of the media type', { headers: { 'content-type': 'application/ath-sealed; a=b' } }],
    ['a query', { path: '/ath/sealed?x', headers: SEALED, body: garbage(200) }],
    ['another path', { path: '/ath/sealed/', headers: SEALED, body: garbage(200) }],
    ['GET', { method: 'GET', headers: SEALED }],
    ['PUT', { method: 'PUT', headers: SEALED, body: garbage(200) }],
    ['OPTIONS', { method: 'OPTIONS' }],
    ['chunks', { headers: { ...SEALED, 'transfer-encoding': 'chunked' }, body: garbage(200) }],
    ['too many bytes for one record', { headers: SEALED, body: garbage(70_000) }],
  ])('are refused as every other way: %s', async (_, request) => {
    const [direct, other] = await Promise.all([served({ direct: true }), served({ direct: false })])
    const [one, two] = await Promise.all([raw(direct.port, request), raw(other.port, request)])
    expect(one).toEqual(two)
    expect(one.status).toBeLessThan(500)
  })

  test('have answers with the same headers as every other way', async () => {
    const [direct, other] = await Promise.all([served({ direct: true }), served({ direct: false })])
    for (const { session } of [direct, other])
      await (await session()).fetch('/echo', { method: 'PUT', body: 'hello' })
    expect(direct.answered).toEqual(other.answered)
    expect(direct.answered).toMatchObject([
      { status: 200, headers: { ...SEALED, 'cache-control': 'no-store' } },
    ])
  })
})
