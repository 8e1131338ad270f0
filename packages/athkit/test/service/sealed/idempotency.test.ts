import { describe, expect, test } from 'vitest'
import { checkRestriction, requireGrant } from '../../../src/service/grant-of.ts'
import { header, otherNode, type SendOptions, sealedShop, seed, tokenFor } from './session.ts'

const under = (key: string, more: SendOptions = {}): SendOptions => ({
  body: 'order 1',
  ...more,
  headers: [['idempotency-key', key], ...(more.headers ?? [])],
})

/** A handler that counts, and can be held back. */
function counting(answer: (request: Request, run: number) => Response | Promise<Response>) {
  const seen = { runs: 0 }
  return { seen, application: (request: Request) => answer(request, ++seen.runs) }
}

const order = () =>
  counting((request, run) => {
    requireGrant(request, 'order:create')
    return Response.json({ order: run }, { status: 201, headers: { 'x-run': String(run) } })
  })

describe('the same request under one key (ATH-7.7)', () => {
  test('gets the kept answer: on another node, under another seq, in another session', async () => {
    const { seen, application } = order()
    const { at, client } = await sealedShop(application)
    const first = await client.send('POST', '/api/order?a=1', under('k'))
    expect(first).toMatchObject({ status: 201, json: { order: 1 }, ath: false })
    const later = await seed(at)
    for (const [each, via] of [
      [client, at],
      [client, otherNode(at, application)],
      [later, at],
    ] as const) {
      const again = await each.send('POST', '/api/order?a=1', under('k', { via }))
      expect(again).toMatchObject({ status: 201, text: first.text, ath: false })
      expect(header(again.head, 'x-run')).toBe('1')
    }
    expect(seen.runs).toBe(1)
  })

  test('twenty at once on two nodes: one run, the others in_progress or its answer', async () => {
    const { seen, application } = counting(async (_, run) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return new Response(String(run))
    })
    const { at, client } = await sealedShop(application)
    const nodes = [at, otherNode(at, application)] as const
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.send('POST', '/', under('k', { via: nodes[i % 2] ?? at }))),
    )
    expect(seen.runs).toBe(1)
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1)
    for (const { status, error } of all) {
      if (status !== 200) expect({ status, error }).toEqual({ status: 409, error: 'in_progress' })
    }
    expect(await client.send('POST', '/', under('k'))).toMatchObject({ status: 200, text: '1' })
  })

  test('for 24 h', async () => {
    const { seen, application } = order()
    const long = { grant: { expiresAt: 2_000_000_000 } }
    const { at } = await sealedShop(application)
    const client = await seed(at, long)
    await client.send('POST', '/', under('k'))
    at.clock.now += 86_399
    const next = await seed(at, long)
    expect(await next.send('POST', '/', under('k'))).toMatchObject({ json: { order: 1 } })
    at.clock.now += 1
    expect(await next.send('POST', '/', under('k'))).toMatchObject({ json: { order: 2 } })
    expect(seen.runs).toBe(2)
  })

  test('another key, no key: another run', async () => {
    const { seen, application } = order()
    const { client } = await sealedShop(application)
    for (const options of [under('k'), under('l'), { body: 'order 1' }, { body: 'order 1' }]) {
      expect(await client.send('POST', '/', options)).toMatchObject({ status: 201 })
    }
    expect(seen.runs).toBe(4)
  })

  test('binary answers and empty ones', async () => {
    const bytes = new Uint8Array([0, 255, 128, 10])
    for (const [status, body] of [
      [200, bytes],
      [200, null],
      [204, null],
    ] as const) {
      const { client } = await sealedShop(() => new Response(body, { status }))
      for (let i = 0; i < 2; i++) {
        const { header: sent, bytes: sealed } = await client.seal('POST', '/', under('k'))
        const opened = await client.open(await client.post(sealed), sent)
        const parts = []
        for await (const part of opened.body) parts.push(...part)
        expect(opened.head.status).toBe(status)
        expect(parts).toEqual([...(body ?? [])])
      }
    }
  })
})

describe('another request under the key is idempotency_conflict', () => {
  test.each([
    ['method', 'PUT', '/api?a=1', 'order 1'],
    ['path', 'POST', '/apo?a=1', 'order 1'],
    ['query', 'POST', '/api?a=2', 'order 1'],
    ['body', 'POST', '/api?a=1', 'order 2'],
    ['no body', 'POST', '/api?a=1', ''],
  ])('another %s', async (_, method, path, body) => {
    const { seen, application } = order()
    const { client } = await sealedShop(application)
    await client.send('POST', '/api?a=1', under('k'))
    const answer = await client.send(method, path, under('k', { body }))
    expect(answer).toMatchObject({ outer: 200, status: 409, error: 'idempotency_conflict', ath: true })
    expect(seen.runs).toBe(1)
  })

  test('other headers are the same request', async () => {
    const { application } = order()
    const { client } = await sealedShop(application)
    await client.send('POST', '/', under('k', { headers: [['x', '1']] }))
    expect(await client.send('POST', '/', under('k', { headers: [['x', '2']] }))).toMatchObject({
      json: { order: 1 },
    })
  })

  test('a key of another user or agent is another key', async () => {
    const { application } = order()
    const { at, client } = await sealedShop(application)
    await client.send('POST', '/', under('k'))
    const other = await seed(at, { grant: { clientDid: 'did:ath:another' } })
    expect(await other.send('POST', '/', under('k', { body: 'else' }))).toMatchObject({ json: { order: 2 } })
  })
})

describe('token and scope are checked anew', () => {
  test('a token that no longer has the scope gets scope_denied, not the answer', async () => {
    const { application } = order()
    const { at, client } = await sealedShop(application)
    await client.send('POST', '/', under('k'))
    const token = await tokenFor(at, client.grant, client.session, { scope: 'goods:read' })
    const answer = await client.send('POST', '/', under('k', { token }))
    expect(answer).toMatchObject({ status: 403, error: 'scope_denied', ath: true })
    expect(await client.send('POST', '/', under('k', { token: null }))).toMatchObject({
      error: 'token_invalid',
    })
    expect(await client.send('POST', '/', under('k'))).toMatchObject({ json: { order: 1 } })
  })
})

describe('what is not kept', () => {
  test('429 and 503 of the application, and refusals of ATH', async () => {
    for (const first of [
      () => new Response('slow', { status: 429 }),
      () => new Response('down', { status: 503 }),
      (request: Request) => {
        checkRestriction(request, 'order_amount_limit', 9999)
        return new Response()
      },
      (request: Request) => {
        requireGrant(request, 'user:profile')
        return new Response()
      },
    ]) {
      const { seen, application } = counting((request, run) =>
        run === 1 ? first(request) : new Response('done'),
      )
      const { client } = await sealedShop(application)
      expect((await client.send('POST', '/', under('k'))).status).toBeGreaterThan(400)
      expect(await client.send('POST', '/', under('k'))).toMatchObject({ status: 200, text: 'done' })
      expect(seen.runs).toBe(2)
    }
  })

  test('a refusal before the handler leaves the key free', async () => {
    const { seen, application } = order()
    const { client } = await sealedShop(application)
    await client.send('POST', '/', under('k', { token: null }))
    await client.send('POST', '/', under('k', { head: { timestamp: 0 } }))
    await client.send('POST', '/', under('k', { body: 'another' }))
    expect(seen.runs).toBe(1)
  })

  test('of an answer above 1 MiB the status only', async () => {
    const { seen, application } = counting(() => new Response('x'.repeat(1_048_577), { status: 201 }))
    const { client } = await sealedShop(application)
    expect((await client.send('POST', '/', under('k'))).text).toHaveLength(1_048_577)
    expect(await client.send('POST', '/', under('k'))).toMatchObject({ status: 201, text: '' })
    expect(seen.runs).toBe(1)
  })

  test('errors of the application itself are its answers, and kept', async () => {
    const { seen, application } = counting(() => new Response('no', { status: 422 }))
    const { client } = await sealedShop(application)
    for (let i = 0; i < 2; i++) {
      expect(await client.send('POST', '/', under('k'))).toMatchObject({ status: 422, text: 'no' })
    }
    expect(seen.runs).toBe(1)
  })
})

describe('an outcome that nobody knows', () => {
  test('a handler that throws: 500, then outcome_unknown, never a second run', async () => {
    const { seen, application } = counting(() => {
      throw new Error('in the middle of it')
    })
    const { client } = await sealedShop(application)
    expect(await client.send('POST', '/', under('k'))).toMatchObject({ status: 500, error: 'internal' })
    for (let i = 0; i < 2; i++) {
      const answer = await client.send('POST', '/', under('k'))
      expect(answer).toMatchObject({ status: 409, error: 'outcome_unknown', ath: true })
    }
    expect(seen.runs).toBe(1)
  })

  test('a process that died while the handler ran: in_progress until it is known to be gone', async () => {
    const { seen, application } = counting(() => new Promise<Response>(() => undefined))
    const { at, client } = await sealedShop(application)
    await client.send('GET', '/warm', { token: null })
    const { bytes } = await client.seal('POST', '/', under('k'))
    void client.post(bytes)
    const survivor = otherNode(at, application)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(seen.runs).toBe(1)
    const again = () => client.send('POST', '/', under('k', { via: survivor }))
    expect(await again()).toMatchObject({ status: 409, error: 'in_progress' })
    at.clock.now += 16
    expect(await again()).toMatchObject({ status: 409, error: 'outcome_unknown' })
    // The process itself knows that it still runs.
    expect(await client.send('POST', '/', under('k'))).toMatchObject({ error: 'in_progress' })
    expect(seen.runs).toBe(1)
  })

  test('an answer that could not be kept is sent all the same', async () => {
    const { application } = order()
    const { at, client } = await sealedShop((request) => {
      const { transact } = at.store
      let calls = 0
      Object.assign(at.store, {
        transact: (...given: Parameters<typeof transact>) => {
          Object.assign(at.store, { transact })
          calls++
          return calls === 1 ? Promise.reject(new Error('disk')) : transact(...given)
        },
      })
      return application(request)
    })
    expect(await client.send('POST', '/', under('k'))).toMatchObject({ status: 201 })
    expect(await client.send('POST', '/', under('k'))).toMatchObject({ error: 'outcome_unknown' })
  })
})

test('a key of 255 characters is one, of 256 none', async () => {
  const { client } = await sealedShop()
  expect(await client.send('POST', '/', under('k'.repeat(255)))).toMatchObject({ status: 200 })
  expect(await client.send('POST', '/', under('k'.repeat(256)))).toMatchObject({ status: 400 })
})
