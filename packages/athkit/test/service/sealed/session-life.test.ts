import { describe, expect, test } from 'vitest'
import { AthError } from '../../../src/errors.ts'
import { eraseReceipt } from '../../../src/service/handshakes.ts'
import { header, otherNode, rowsOf, sealedShop, seed } from './session.ts'

const UNKNOWN = { outer: 401, error: 'session_unknown' }

describe('a provisional session (ATH-3.6)', () => {
  test('becomes lasting with its first valid request', async () => {
    const { at, client } = await sealedShop()
    expect(JSON.parse((await rowsOf(at, 'grant:'))[0]?.value ?? '')).toMatchObject({ state: 'provisional' })
    await client.send('GET', '/')
    expect(JSON.parse((await rowsOf(at, 'grant:'))[0]?.value ?? '')).toMatchObject({ state: 'live' })
    expect(at.events).toContainEqual(expect.objectContaining({ type: 'session_confirmed' }))
    at.clock.now += 601
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
  })

  test('ends after 600 s without one; no key opens anything then', async () => {
    const { at, client } = await sealedShop()
    at.clock.now += 599
    expect(await client.send('GET', '/', { token: null })).toMatchObject({ error: 'token_invalid' })
    at.clock.now += 1
    for (const via of [at, otherNode(at)]) {
      expect(await client.send('GET', '/', { via })).toMatchObject(UNKNOWN)
    }
  })

  test('a request that is not valid confirms nothing, its own DELETE neither', async () => {
    const { at, client } = await sealedShop()
    await client.send('GET', '/', { token: null })
    await client.send('GET', '//')
    expect(JSON.parse((await rowsOf(at, 'grant:'))[0]?.value ?? '')).toMatchObject({ state: 'provisional' })
    expect(await client.send('DELETE', '/ath/session')).toMatchObject({ status: 204, ath: true })
    expect(at.events).not.toContainEqual(expect.objectContaining({ type: 'session_confirmed' }))
  })

  test('the credential’s use: final with the first request, given back by a lapse or the DELETE', async () => {
    const use = { key: 'uses:c:h', until: 2_000_000_000 }
    const lasting = await sealedShop(undefined, {}, { grant: { use } })
    expect(await rowsOf(lasting.at, 'uses:')).toMatchObject([{ value: 'reserved' }])
    await lasting.client.send('GET', '/')
    lasting.at.clock.now += 10_000
    expect(await rowsOf(lasting.at, 'uses:')).toMatchObject([{ value: 'spent' }])

    const lapsed = await sealedShop(undefined, {}, { grant: { use } })
    lapsed.at.clock.now += 600
    expect(await rowsOf(lapsed.at, 'uses:')).toEqual([])

    const ended = await sealedShop(undefined, {}, { grant: { use } })
    await ended.client.send('DELETE', '/ath/session')
    expect(await rowsOf(ended.at, 'uses:')).toEqual([])

    const used = await sealedShop(undefined, {}, { grant: { use } })
    await used.client.send('GET', '/')
    await used.client.send('DELETE', '/ath/session')
    expect(await rowsOf(used.at, 'uses:')).toMatchObject([{ value: 'spent' }])
  })

  test('twenty first requests at once, on two nodes: all are served, confirmed once', async () => {
    const { at, client } = await sealedShop()
    const nodes = [at, otherNode(at)] as const
    const all = Array.from({ length: 20 }, (_, i) => client.send('GET', '/', { via: nodes[i % 2] ?? at }))
    for (const answer of await Promise.all(all)) expect(answer).toMatchObject({ status: 200 })
    const confirmed = nodes.flatMap(({ events }) => events.filter(({ type }) => type === 'session_confirmed'))
    expect(confirmed).toHaveLength(1)
  })

  test('erasing a receipt that is gone is no error', async () => {
    const { at } = await sealedShop()
    const context = { store: at.store, now: () => at.clock.now } as never
    await expect(eraseReceipt(context, 'h_nobody')).resolves.toBeUndefined()
  })
})

describe('the end of a session', () => {
  test('DELETE /ath/session: 204, then session_unknown outside, on every node', async () => {
    const { at, client } = await sealedShop()
    const second = otherNode(at)
    await client.send('GET', '/', { via: second })
    expect(await client.send('DELETE', '/ath/session')).toMatchObject({ outer: 200, status: 204, text: '' })
    for (const via of [at, second, otherNode(at)]) {
      expect(await client.send('GET', '/', { via })).toMatchObject(UNKNOWN)
    }
    expect(await rowsOf(at, 'session:')).toEqual([])
    expect(await rowsOf(at, `grant:${client.grant.id}`)).toMatchObject([
      { value: expect.stringContaining('"ended"') },
    ])
  })

  test('twenty DELETEs at once end it once', async () => {
    const { at, client } = await sealedShop()
    await client.send('GET', '/')
    const all = await Promise.all(Array.from({ length: 20 }, () => client.send('DELETE', '/ath/session')))
    expect(all.filter(({ status }) => status === 204)).toHaveLength(1)
    expect(all.filter(({ error }) => error === 'session_unknown')).toHaveLength(19)
    expect(at.events.filter(({ type }) => type === 'session_ended')).toHaveLength(1)
  })

  test('it leaves the pair’s other sessions alone', async () => {
    const { at, client } = await sealedShop()
    const other = await seed(at)
    await client.send('DELETE', '/ath/session')
    expect(await other.send('GET', '/')).toMatchObject({ status: 200 })
  })

  test('also under an expired token, but not without one', async () => {
    const { at, client } = await sealedShop()
    await client.send('GET', '/')
    at.clock.now += 3600
    expect(await client.send('GET', '/')).toMatchObject({ error: 'token_invalid' })
    expect(await client.send('DELETE', '/ath/session', { token: null })).toMatchObject({
      error: 'token_invalid',
    })
    expect(await client.send('DELETE', '/ath/session')).toMatchObject({ status: 204 })
  })

  test('a grant at its end: sealed session_expired, its own paths as well', async () => {
    const { at, client } = await sealedShop()
    await client.send('GET', '/')
    at.clock.now = client.grant.expiresAt - 1
    expect(await client.send('DELETE', '/ath/session', { token: null })).toMatchObject({ status: 401 })
    at.clock.now += 1
    const expired = { outer: 200, status: 401, error: 'session_expired', ath: true }
    for (const via of [at, otherNode(at)]) {
      expect(await client.send('GET', '/', { via })).toMatchObject(expired)
      expect(await client.send('POST', '/ath/session/token', { via })).toMatchObject(expired)
    }
  })

  test('keys older than 86400 s: session_expired outside', async () => {
    const { at, client } = await sealedShop(undefined, {}, { grant: { expiresAt: 2_000_000_000 } })
    await client.send('GET', '/')
    at.clock.now += 86_399
    expect(await client.send('GET', '/')).toMatchObject({ outer: 200, error: 'token_invalid' })
    at.clock.now += 1
    expect(await client.send('GET', '/')).toMatchObject({ outer: 401, error: 'session_expired' })
  })

  test('an unknown epoch: session_expired outside; an unknown sid: session_unknown', async () => {
    const { client } = await sealedShop()
    const keys = { ...client.keys, epoch: 1 }
    expect(await client.send('GET', '/', { keys })).toMatchObject({ outer: 401, error: 'session_expired' })
    const { bytes } = await client.seal('GET', '/')
    bytes[3] = (bytes[3] as number) ^ 1
    expect(await (await client.post(bytes)).json()).toMatchObject({ error: 'session_unknown' })
  })
})

test('a store that fails is 503 inside and out, and the next request goes through', async () => {
  const { at, client } = await sealedShop()
  await client.send('GET', '/')
  const { store } = at
  const { transact } = store
  Object.assign(store, {
    transact: () => Promise.reject(new AthError('store_unavailable', 'disk')),
  })
  const inside = await client.send('GET', '/')
  expect(inside).toMatchObject({ outer: 200, status: 503, error: 'store_unavailable', ath: true })
  expect(header(inside.head, 'retry-after')).toMatch(/^[1-9]/)
  const outside = await client.send('GET', '/', { via: otherNode(at) })
  expect(outside).toMatchObject({ outer: 503, error: 'store_unavailable' })
  Object.assign(store, { transact })
  expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
})
