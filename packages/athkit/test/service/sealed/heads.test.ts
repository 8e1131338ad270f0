import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/crypto/json.ts'
import { sealedShop } from './session.ts'

const MALFORMED = { outer: 200, status: 400, error: 'malformed_message', ath: true }

describe('the head inside (ATH-7.4)', () => {
  test.each([
    ['no object', { method: 1 }],
    ['no headers', { headers: null }],
    ['a header of one part', { headers: [['a']] }],
    ['CONNECT', { method: 'CONNECT' }],
    ['TRACE', { method: 'TRACE' }],
    ['a space in the method', { method: 'GET /' }],
    ['no slash', { path: 'api' }],
    ['a URL', { path: 'https://evil.example/' }],
    ['two slashes', { path: '//evil.example/' }],
    ['dot segments', { path: '/a/../ath/sealed' }],
    ['dot segments, encoded', { path: '/a/%2e%2E/b' }],
    ['an endpoint', { path: '/ath/sealed' }],
    ['below an endpoint', { path: '/ath/handshake/x' }],
    ['an endpoint, encoded', { path: '/ath/%73ealed' }],
    ['the discovery document', { path: '/.well-known/ath-app.json' }],
    ['Host', { headers: [['Host', 'evil.example']] }],
    ['X-Forwarded-For', { headers: [['x-forwarded-for', '10.0.0.1']] }],
    ['Transfer-Encoding', { headers: [['transfer-encoding', 'chunked']] }],
    ['a line end in a value', { headers: [['x', 'a\r\nb: c']] }],
    ['a timestamp as text', { timestamp: '1' }],
    ['the session’s own path by another method', { method: 'GET', path: '/ath/session' }],
    ['the session’s own path with a query', { method: 'POST', path: '/ath/session/keys?x=1' }],
    ['below the session’s own path', { method: 'POST', path: '/ath/session/other' }],
    ['the session’s own path with a slash', { method: 'DELETE', path: '/ath/session/' }],
    ['two idempotency keys', { headers: 'two keys' }],
    ['an empty idempotency key', { headers: 'empty key' }],
  ] as const)('%s: sealed 400, and the handler does not run', async (_, edit) => {
    let runs = 0
    const { client } = await sealedShop(() => {
      runs++
      return new Response('ok')
    })
    const auth = ['authorization', `Bearer ${client.token}`] as const
    const given = (edit as { headers?: unknown }).headers
    const headers =
      given === 'two keys'
        ? [auth, ['idempotency-key', 'a'], ['Idempotency-Key', 'a']]
        : given === 'empty key'
          ? [auth, ['idempotency-key', '']]
          : given
    const head = (headers === undefined ? edit : { ...edit, headers }) as JsonObject
    expect(await client.send('POST', '/', { head })).toMatchObject(MALFORMED)
    expect(runs).toBe(0)
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
  })

  test('the clock: 300 s both ways, else 401 timestamp_skew', async () => {
    const { at, client } = await sealedShop()
    const { now } = at.clock
    for (const off of [-300, 300]) {
      expect(await client.send('GET', '/', { head: { timestamp: now + off } })).toMatchObject({ status: 200 })
    }
    for (const off of [-301, 301]) {
      const answer = await client.send('GET', '/', { head: { timestamp: now + off } })
      expect(answer).toMatchObject({ outer: 200, status: 401, error: 'timestamp_skew', ath: true })
    }
  })

  test('of two faults the first check names it', async () => {
    const { client } = await sealedShop()
    const skewed = { head: { timestamp: 0 }, token: null }
    expect(await client.send('GET', '/', skewed)).toMatchObject({ error: 'timestamp_skew' })
    const malformed = { head: { timestamp: 0, path: '//' }, token: null }
    expect(await client.send('GET', '/', malformed)).toMatchObject({ error: 'malformed_message' })
  })

  test('whatever stands in a head: never a 5xx, and the session goes on', async () => {
    const { client } = await sealedShop()
    const odd = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.jsonValue({ maxDepth: 2 }))
    const head = fc.record(
      {
        method: fc.oneof(odd, fc.constantFrom('GET', 'POST', 'get', 'PATCH', 'TRACK', 'M-SEARCH')),
        path: fc.oneof(
          odd,
          fc.webPath(),
          fc.string().map((text) => `/${text}`),
        ),
        headers: fc.oneof(odd, fc.array(fc.tuple(fc.string(), fc.string()))),
        timestamp: odd,
        ['__proto__']: odd,
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(head, async (edit) => {
        const { outer, status } = await client.send('GET', '/', { head: edit as JsonObject })
        expect(outer).toBe(200)
        expect(status).toBeLessThan(500)
      }),
      { numRuns: 300 },
    )
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
  })
})
