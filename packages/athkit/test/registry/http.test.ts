import { describe, expect, test } from 'vitest'
import { type DidState, deactivateOperation, verifyHistory } from '../../src/did/index.ts'
import { AthError, refuse } from '../../src/errors.ts'
import { NAME, named } from '../did/names.ts'
import { openRegistry } from './world.ts'

const IDENTIFIER = `/1.0/identifiers/${NAME}`
const HISTORY = `/1.0/history/${NAME}`

describe('POST /1.0/operations (ATH-4.6)', () => {
  test('registers, and answers with what the DID resolves to', async () => {
    const at = openRegistry()
    const shop = await named()
    const answer = await at.submit(shop.create)
    expect(answer).toMatchObject({ status: 200, body: { didDocument: shop.document } })
    const { head } = (await at.registry.state(NAME)) as DidState
    expect(at.events).toEqual([
      { type: 'did_operation', did: NAME, op: 'create', seq: 0, head, address: '192.0.2.1' },
    ])
  })

  test.each<[string, number, string, (create: object) => unknown]>([
    ['what is no JSON', 400, 'malformed_message', () => '{'],
    ['two members of one name', 400, 'malformed_message', () => '{"type":"did_operation","type":"x"}'],
    ['a list', 400, 'malformed_message', (create) => [create]],
    [
      'a name that is a key',
      400,
      'malformed_message',
      (create) => ({ ...create, did: `did:ath:z${'1'.repeat(40)}` }),
    ],
    ['no signature', 401, 'signature_invalid', (create) => ({ ...create, signatures: [] })],
    ['what does not follow', 409, 'out_of_order', (create) => ({ ...create, seq: 1 })],
    ['more than 64 KiB', 413, 'message_too_large', (create) => ({ ...create, x: 'x'.repeat(65_536) })],
  ])('refuses %s', async (_, status, error, edit) => {
    const at = openRegistry()
    const answer = await at.submit(edit((await named()).create) as never)
    expect(answer).toMatchObject({ status, body: { type: 'error', code: status, error } })
    expect(await at.registry.history(NAME)).toEqual([])
  })

  test('refuses another method and another media type', async () => {
    const at = openRegistry()
    const { create } = await named()
    expect(await at.call('GET', '/1.0/operations')).toMatchObject({ status: 405 })
    expect(await at.call('POST', '/1.0/operations', create, undefined, 'text/plain')).toMatchObject({
      status: 415,
      body: { error: 'malformed_message' },
    })
  })

  test('refuses what the operator does not admit, after it was verified', async () => {
    const seen: string[] = []
    const at = openRegistry({
      admitOperation({ did }, { address }) {
        seen.push(`${did} ${address}`)
        throw refuse('policy_denied', 'not this name')
      },
    })
    const { create } = await named()
    expect(await at.submit({ ...create, signatures: [] })).toMatchObject({ status: 401 })
    expect(await at.submit(create)).toMatchObject({ status: 403, body: { error: 'policy_denied' } })
    expect(seen).toEqual([`${NAME} 192.0.2.1`])
    expect(await at.registry.state(NAME)).toBeUndefined()
  })
})

describe('GET /1.0/identifiers/{did} (ATH-4.1): a W3C DID resolution result', () => {
  test('of a registered DID, its path percent-encoded or not', async () => {
    const at = openRegistry()
    const shop = await named()
    await at.submit(shop.create)
    const { head } = (await at.registry.state(NAME)) as DidState
    for (const path of [IDENTIFIER, `/1.0/identifiers/${encodeURIComponent(NAME)}`]) {
      const { status, body, headers } = await at.call('GET', path)
      expect(status).toBe(200)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(body).toEqual({
        '@context': 'https://w3id.org/did-resolution/v1',
        didDocument: shop.document,
        didResolutionMetadata: { contentType: 'application/did+json' },
        didDocumentMetadata: {
          created: '2024-06-01T00:00:00Z',
          updated: '2024-06-01T00:00:00Z',
          versionId: `0-${head}`,
        },
      })
    }
  })

  test('of a deactivated one: 410, and no key in it', async () => {
    const at = openRegistry()
    const shop = await named()
    await at.submit(shop.create)
    at.clock.now += 60
    const state = (await at.registry.state(NAME)) as DidState
    await at.submit(await deactivateOperation({ state, signers: [shop.controlling], now: at.clock.now }))
    expect(await at.call('GET', IDENTIFIER)).toMatchObject({
      status: 410,
      body: {
        didDocument: { id: NAME },
        didDocumentMetadata: {
          created: '2024-06-01T00:00:00Z',
          updated: '2024-06-01T00:01:00Z',
          deactivated: true,
        },
      },
    })
    expect((await at.call('GET', IDENTIFIER)).body.didDocument).toEqual({ id: NAME })
  })

  test.each<[string, string, number, string]>([
    ['nobody', 'did:ath:nobody', 404, 'notFound'],
    ['another spelling', NAME.replace('public', 'Public'), 404, 'notFound'],
    ['another method', 'did:web:shop.example', 501, 'methodNotSupported'],
    ['what is no DID', 'shop', 400, 'invalidDid'],
    ['what looks like a key', `did:ath:z${'1'.repeat(40)}`, 400, 'invalidDid'],
    ['a fragment', `${NAME}%23key`, 400, 'invalidDid'],
    ['broken percent-encoding', '%E0%A4', 400, 'invalidDid'],
  ])('of %s', async (_, did, status, error) => {
    const at = openRegistry()
    await at.submit((await named()).create)
    expect(await at.call('GET', `/1.0/identifiers/${did}`)).toMatchObject({
      status,
      body: { didDocument: null, didResolutionMetadata: { error } },
    })
  })
})

describe('GET /1.0/history/{did} (ATH-4.6)', () => {
  test('gives every operation as it was received', async () => {
    const at = openRegistry()
    const shop = await named()
    await at.submit(shop.create)
    const { status, body } = await at.call('GET', HISTORY)
    expect([status, body]).toEqual([200, { operations: [shop.create] }])
    const state = await verifyHistory(body.operations as never, { seen: null, taken: [] })
    expect(state).toEqual(await at.registry.state(NAME))
  })

  test('of a DID that is not registered: no operations, 404; of what is no DID: 400', async () => {
    const at = openRegistry()
    expect(await at.call('GET', HISTORY)).toMatchObject({ status: 404, body: { operations: [] } })
    expect(await at.call('GET', '/1.0/history/x')).toMatchObject({
      status: 400,
      body: { error: 'malformed_message' },
    })
  })
})

describe('limits by address (ATH-4.4)', () => {
  test('of requests', async () => {
    const at = openRegistry({ limits: { requestsPerMinute: 2 } })
    const statuses = async (address: string) => (await at.call('GET', HISTORY, undefined, address)).status
    expect([await statuses('192.0.2.1'), await statuses('192.0.2.1')]).toEqual([404, 404])
    const refused = await at.call('GET', HISTORY, undefined, '192.0.2.1')
    expect(refused).toMatchObject({ status: 429, body: { error: 'rate_limited' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await statuses('192.0.2.2')).toBe(404)
    at.clock.now += 60
    expect(await statuses('192.0.2.1')).toBe(404)
  })

  test('of operations, valid or not, an IPv6 /64 counting as one', async () => {
    const at = openRegistry({ limits: { operationsPerMinute: 1 } })
    expect((await at.submit({}, '2001:db8::1')).status).toBe(400)
    expect((await at.submit((await named()).create, '2001:db8::2')).status).toBe(429)
    expect((await at.submit((await named()).create, '2001:db8:0:1::1')).status).toBe(200)
  })

  test('of names in a day, on whatever node and after a restart', async () => {
    const at = openRegistry({ limits: { namesPerDay: 2 } })
    const register = async (name: string, address?: string) =>
      (await at.submit((await named(`did:ath:${name}`)).create, address)).status
    expect([await register('a'), await register('b'), await register('c')]).toEqual([200, 200, 429])
    expect(await register('d', '192.0.2.2')).toBe(200)
    // What is not registered does not count, and neither does a change.
    expect(await register('a', '192.0.2.3')).toBe(409)
    expect(await register('e', '192.0.2.3')).toBe(200)
    expect(await register('f', '192.0.2.3')).toBe(200)
  })

  test('of nobody who is exempt', async () => {
    const at = openRegistry({
      limits: { requestsPerMinute: 1, operationsPerMinute: 1, namesPerDay: 1, exempt: () => true },
    })
    for (const name of ['a', 'b', 'c']) {
      expect((await at.submit((await named(`did:ath:${name}`)).create)).status).toBe(200)
    }
  })
})

test('under a base path, and nowhere else', async () => {
  const at = openRegistry({ basePath: '/registry' })
  expect((await at.call('GET', `/registry${HISTORY}`)).status).toBe(404)
  const elsewhere = new Request(`https://registry.example${HISTORY}`)
  expect(await at.registry.handler(elsewhere, { address: '192.0.2.1' })).toBeUndefined()
})

test.each([
  ['a store that is out of reach', new AthError('store_unavailable', 'no store'), 503, 'store_unavailable'],
  ['a bug', new Error('a bug'), 500, 'internal'],
])('%s is told to the operator, and to the peer by its name alone', async (_, cause, status, error) => {
  const store = {
    transact: () => Promise.reject(cause),
    async *outbox() {},
    async *rows() {},
    sweep: async () => 0,
    close: async () => undefined,
  }
  const at = openRegistry({ store })
  expect(await at.submit((await named()).create)).toMatchObject({ status, body: { error } })
  expect(at.events).toContainEqual({ type: 'failed', where: '/1.0/operations', cause })
})
