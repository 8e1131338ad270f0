import { describe, expect, test } from 'vitest'
import { refuse } from '../../../src/errors.ts'
import { grantOf, requireGrant } from '../../../src/service/index.ts'
import { header, otherNode, SEALED, sealedShop, tokenFor } from './session.ts'

describe('a business request (ATH-7.1)', () => {
  test('reaches the application as an ordinary request of the audience, with its grant', async () => {
    let seen: Request | undefined
    const { at, client } = await sealedShop(async (request) => {
      seen = request
      return Response.json({ got: await request.text() }, { status: 201, headers: { 'x-shop': '1' } })
    })
    const answer = await client.send('POST', '/api/order?quick=1', {
      body: '{"quantity":1}',
      headers: [
        ['content-type', 'application/json'],
        ['Accept-Encoding', 'gzip'],
      ],
    })
    expect(answer).toMatchObject({ outer: 200, status: 201, ath: false, json: { got: '{"quantity":1}' } })
    expect(header(answer.head, 'x-shop')).toBe('1')
    expect(header(answer.head, 'content-length')).toBeUndefined()
    expect(seen?.url).toBe('https://shop.example/api/order?quick=1')
    expect(seen?.method).toBe('POST')
    expect(seen?.headers.get('accept-encoding')).toBeNull()
    expect(seen && grantOf(seen)).toMatchObject({
      id: client.grant.id,
      clientDid: at.agent.did,
      userDid: at.user.did,
      account: 'account-1',
      scopes: ['goods:read', 'order:create'],
      restrictions: { order_amount_limit: 5000 },
    })
  })

  test('with either cipher, on any node, in any order of seq', async () => {
    for (const cipher of ['AES-256-GCM', 'CHACHA20-POLY1305'] as const) {
      const { at, client } = await sealedShop(undefined, {}, { cipher })
      const second = otherNode(at)
      for (const [seq, via] of [
        [5, at],
        [3, second],
        [4, at],
        [900, second],
        [0, at],
      ] as const) {
        expect(await client.send('GET', '/', { seq, via })).toMatchObject({ status: 200, text: 'ok' })
      }
    }
  })

  test('what the application answers is its own: 204, 404, errors that look like ATH', async () => {
    const { client } = await sealedShop((request) => {
      const status = Number(new URL(request.url).searchParams.get('status'))
      return new Response(status === 204 ? null : '{"type":"error","code":401,"error":"token_invalid"}', {
        status,
        headers: { connection: 'close', 'keep-alive': '1' },
      })
    })
    for (const status of [204, 401, 404, 500]) {
      const answer = await client.send('GET', `/?status=${status}`)
      expect(answer).toMatchObject({ outer: 200, status, ath: false })
      expect(header(answer.head, 'connection')).toBeUndefined()
      expect(header(answer.head, 'keep-alive')).toBeUndefined()
    }
  })

  test('HEAD has no body', async () => {
    const { client } = await sealedShop(() => new Response('not for HEAD'))
    expect(await client.send('HEAD', '/')).toMatchObject({ status: 200, text: '' })
  })

  test('cookies stay apart', async () => {
    const headers = new Headers()
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const { client } = await sealedShop(() => new Response('ok', { headers }))
    const { head } = await client.send('GET', '/')
    expect(head?.headers.filter(([name]) => name === 'set-cookie')).toEqual([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ])
  })

  test('nothing is compressed inside, though the application did (ATH-7.4)', async () => {
    const packed = async () => {
      const stream = new Response('text '.repeat(100)).body?.pipeThrough(new CompressionStream('gzip'))
      return new Response(stream as ReadableStream, { headers: { 'content-encoding': 'gzip' } })
    }
    const { client } = await sealedShop(packed)
    const answer = await client.send('GET', '/')
    expect(answer.text).toBe('text '.repeat(100))
    expect(header(answer.head, 'content-encoding')).toBeUndefined()
    const odd = await sealedShop(() => new Response('x', { headers: { 'content-encoding': 'br' } }))
    expect(await odd.client.send('GET', '/')).toMatchObject({ status: 500, error: 'internal', ath: true })
  })
})

describe('an application that fails (ATH-7.4)', () => {
  test('an exception is a sealed 500 of ATH, with no word of what it was', async () => {
    const { at, client } = await sealedShop(() => {
      throw new Error('secret of the database')
    })
    const answer = await client.send('GET', '/')
    expect(answer).toMatchObject({ outer: 200, status: 500, error: 'internal', ath: true })
    expect(answer.text).not.toContain('secret')
    expect(header(answer.head, 'retry-after')).toMatch(/^\d+$/)
    expect(at.events).toContainEqual(expect.objectContaining({ type: 'failed' }))
  })

  test('so is no response, one that was used, one with a head beyond record 0', async () => {
    const used = new Response('x')
    await used.text()
    const wrong: (() => Response)[] = [
      () => undefined as unknown as Response,
      () => Response.error(),
      () => used,
      () => new Response('x', { headers: { 'x-long': 'a'.repeat(70_000) } }),
      () =>
        new Response(
          new ReadableStream({
            pull: () => {
              throw new Error('broken at once')
            },
          }),
        ),
    ]
    for (const application of wrong) {
      const { client } = await sealedShop(application)
      expect(await client.send('GET', '/')).toMatchObject({ outer: 200, status: 500, error: 'internal' })
    }
  })

  test('a refusal that it throws is ATH’s: outside the grant', async () => {
    const { client } = await sealedShop((request) => {
      requireGrant(request, 'user:profile')
      return new Response('never')
    })
    expect(await client.send('GET', '/')).toMatchObject({ status: 403, error: 'scope_denied', ath: true })
  })

  test('a method that no request can have is malformed, not a failure', async () => {
    const { client } = await sealedShop()
    expect(await client.send('TRACK', '/')).toMatchObject({ status: 400, error: 'malformed_message' })
    expect(await client.send('get', '/', { body: 'ignored' })).toMatchObject({ status: 200 })
  })
})

describe('the token inside (ATH-7.5)', () => {
  test('each wrong one is sealed 401 token_invalid', async () => {
    let runs = 0
    const { at, client } = await sealedShop(() => {
      runs++
      return new Response('ok')
    })
    const other = await sealedShop()
    const { grant, session } = client
    const now = at.clock.now
    const tokens: Record<string, string | null> = {
      none: null,
      'no JWT': 'abc',
      'of another session': other.client.token,
      'of another sid': await tokenFor(at, grant, session, { cnf: { ath_sid: other.client.grant.id } }),
      'of another audience': await tokenFor(at, grant, session, { aud: 'https://other.example' }),
      'of another client': await tokenFor(at, grant, session, { client_id: at.user.did }),
      'of another user': await tokenFor(at, grant, session, { sub: at.agent.did }),
      'of another transcript': await tokenFor(at, grant, session, { ath_transcript: 'A'.repeat(43) }),
      expired: await tokenFor(at, grant, session, { iat: now - 100, exp: now }),
      'issued ahead': await tokenFor(at, grant, session, { iat: now + 400, exp: now + 900 }),
      'signed by another': `${client.token.slice(0, client.token.lastIndexOf('.'))}.${'A'.repeat(86)}`,
    }
    for (const [name, token] of Object.entries(tokens)) {
      const answer = await client.send('GET', '/', { token })
      expect(answer, name).toMatchObject({ outer: 200, status: 401, error: 'token_invalid', ath: true })
    }
    const twice = [['Authorization', `Bearer ${client.token}`]] as const
    expect(await client.send('GET', '/', { headers: twice })).toMatchObject({ error: 'token_invalid' })
    const basic = [['authorization', 'Basic YTpi']] as const
    const opts = { token: null, headers: basic }
    expect(await client.send('GET', '/', opts)).toMatchObject({ error: 'token_invalid' })
    expect(runs).toBe(0)
  })

  test('one that was good expires', async () => {
    const { at, client } = await sealedShop()
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
    at.clock.now += 3599
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
    at.clock.now += 1
    expect(await client.send('GET', '/')).toMatchObject({ status: 401, error: 'token_invalid' })
  })

  test('it is worth nothing unsealed: a handler outside a session has no grant', async () => {
    const { client } = await sealedShop()
    const request = new Request('https://shop.example/', {
      headers: { authorization: `Bearer ${client.token}` },
    })
    expect(grantOf(request)).toBeUndefined()
    expect(() => requireGrant(request)).toThrow(refuse('token_invalid', 'not a sealed request').message)
  })
})

describe('outside the seal', () => {
  test('another media type is 415, another method 405', async () => {
    const { at, client } = await sealedShop()
    const { bytes } = await client.seal('GET', '/')
    const wrong = await at.raw('POST', SEALED, bytes as Uint8Array<ArrayBuffer>, {
      headers: { 'content-type': 'application/json' },
    })
    expect(wrong.status).toBe(415)
    expect(await wrong.json()).toMatchObject({ error: 'malformed_message' })
    expect((await at.raw('GET', SEALED)).status).toBe(405)
  })

  test('the answer is application/ath-sealed, and not cached', async () => {
    const { client } = await sealedShop()
    const { bytes } = await client.seal('GET', '/')
    const response = await client.post(bytes)
    expect(response.headers.get('content-type')).toBe('application/ath-sealed')
    expect(response.headers.get('cache-control')).toBe('no-store')
  })
})
