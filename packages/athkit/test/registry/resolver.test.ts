import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import {
  addKeyOperation,
  createResolver,
  type DidOperation,
  type DidState,
  memoryPins,
  type Pins,
  registryResolver,
  updateOperation,
} from '../../src/did/index.ts'
import type { AthError } from '../../src/errors.ts'
import type { Fetch } from '../../src/net/request.ts'
import { createRegistryClient, storePins } from '../../src/registry/index.ts'
import { memory } from '../../src/store/memory.ts'
import { NAME, NOW, named, registration } from '../did/names.ts'
import { openRegistry, URL_OF_REGISTRY as url } from './world.ts'

let shop: Awaited<ReturnType<typeof named>>
/** Two honest operations of one DID. */
let operations: readonly [DidOperation, DidOperation]
beforeEach(async () => {
  shop = await named()
  const at = openRegistry()
  const state = await at.registry.submit(shop.create)
  operations = [shop.create, await second(state)]
})

const second = async (state: DidState) =>
  addKeyOperation({
    state,
    signers: [shop.controlling],
    key: await generateSigner(),
    relationships: ['authentication'],
    now: NOW,
  })

/** A registry that answers with whatever it is told to. */
function liar(history: () => readonly unknown[] | undefined): Fetch {
  return async () => {
    const shown = history()
    return shown === undefined
      ? new Response(null, { status: 404 })
      : new Response(JSON.stringify({ operations: shown }))
  }
}

const violation = (message: RegExp) =>
  expect.objectContaining({ trouble: 'registry_violation', message: expect.stringMatching(message) })

describe('a registry that is honest', () => {
  test('is asked for the whole history, which is verified; nothing else it says counts', async () => {
    const at = openRegistry()
    await at.submit(shop.create)
    const { lookup } = registryResolver({ url, fetch: at.fetch, verifiesOrigins: true })
    const resolver = createResolver({ registry: { lookup }, now: () => NOW })
    expect(await resolver.resolve(NAME)).toEqual({
      document: shop.document,
      deactivated: false,
      registry: { verifiesOrigins: true },
    })
    expect(at.sent).toEqual([`GET /1.0/history/${encodeURIComponent(NAME)}`])
    await expect(resolver.resolve('did:ath:nobody')).rejects.toMatchObject({ error: 'identity_unknown' })
  })

  test('may go on where the last history ended', async () => {
    let shown: readonly unknown[] = operations.slice(0, 1)
    const resolver = registryResolver({ url, fetch: liar(() => shown) })
    expect(await resolver.state(NAME)).toMatchObject({ seq: 0 })
    shown = operations
    expect(await resolver.state(NAME)).toMatchObject({ seq: 1 })
    expect(await resolver.state(NAME)).toMatchObject({ seq: 1 })
  })
})

describe('a registry that lies is found out (ATH-4.6)', () => {
  const shownFirst = async (pins: Pins) =>
    registryResolver({ url, pins, fetch: liar(() => operations) }).state(NAME)

  test.each<[string, RegExp, () => Promise<readonly unknown[] | undefined>]>([
    ['rolls the history back', /rolled back/, async () => operations.slice(0, 1)],
    ['says there never was one', /rolled back/, async () => []],
    ['has forgotten the DID', /rolled back/, async () => undefined],
    [
      'shows another second operation, as valid as the first',
      /forked/,
      async () => {
        const state = await openRegistry().registry.submit(shop.create)
        return [shop.create, await second(state)]
      },
    ],
    [
      'shows a longer history that leaves the one seen',
      /forked/,
      async () => {
        const at = openRegistry()
        const first = await at.registry.submit(shop.create)
        const other = await second(first)
        const state = await at.registry.submit(other)
        return [shop.create, other, await second(state)]
      },
    ],
    [
      'gives the name to somebody else',
      /forked/,
      async () => {
        const thief = await named()
        const state = await openRegistry().registry.submit(thief.create)
        const { document } = thief
        const change = { state, signers: [thief.controlling], now: NOW }
        return [thief.create, await updateOperation({ ...change, document })]
      },
    ],
  ])('when it %s', async (_, message, lie) => {
    const pins = memoryPins()
    await shownFirst(pins)
    const shown = await lie()
    const told: AthError[] = []
    const resolver = registryResolver({
      url,
      pins,
      fetch: liar(() => shown),
      onViolation: (error) => void told.push(error),
    })
    await expect(resolver.state(NAME)).rejects.toEqual(violation(message))
    expect(told).toHaveLength(1)
    expect(await pins.get(NAME)).toMatchObject({ seq: 1 })
  })

  test.each<[string, RegExp, () => Promise<readonly unknown[]>]>([
    [
      'answers with the history of another DID',
      /another DID/,
      async () => [(await named('did:ath:somebody_else')).create],
    ],
    [
      'makes up an operation that nobody signed',
      /not valid/,
      async () => {
        const thief = await registration(NAME, await generateSigner(), await generateSigner())
        const update = { ...thief.create, op: 'update', seq: 1, previous: operations[1].previous }
        return [shop.create, update]
      },
    ],
    [
      'changes a document',
      /operation 0 is not valid/,
      async () => [{ ...shop.create, document: { ...shop.document, service: [] } }, operations[1]],
    ],
    ['leaves the first operation out', /operation 0 is not valid/, async () => [operations[1]]],
    ['mixes in what is no operation', /operation 1 is not valid/, async () => [shop.create, null]],
  ])('at first sight, when it %s', async (_, message, lie) => {
    const shown = await lie()
    const resolver = registryResolver({ url, fetch: liar(() => shown) })
    await expect(resolver.state(NAME)).rejects.toEqual(violation(message))
  })

  test('through createResolver too, by the same name, and once in ten seconds', async () => {
    let asked = 0
    const registry = registryResolver({
      url,
      fetch: liar(() => {
        asked++
        return [operations[1]]
      }),
    })
    const clock = { now: NOW }
    const resolver = createResolver({ registry, now: () => clock.now })
    for (let i = 0; i < 3; i++) await expect(resolver.resolve(NAME)).rejects.toEqual(violation(/not valid/))
    expect(asked).toBe(1)
    clock.now += 10
    await expect(resolver.resolve(NAME)).rejects.toEqual(violation(/not valid/))
    expect(asked).toBe(2)
  })

  test('after a restart, where the pins are in a store', async () => {
    const store = memory()
    await shownFirst(storePins(store))
    const resolver = registryResolver({
      url,
      pins: storePins(store),
      fetch: liar(() => operations.slice(0, 1)),
    })
    await expect(resolver.state(NAME)).rejects.toEqual(violation(/rolled back/))
  })
})

describe.each<[string, () => Pins]>([
  ['memoryPins', () => memoryPins()],
  ['storePins', () => storePins(memory())],
])('%s', (_, make) => {
  test('of a hundred that move a pin from one place, exactly one does', async () => {
    const pins = make()
    const moves = Array.from({ length: 100 }, (_, at) =>
      pins.advance(NAME, undefined, { seq: 0, head: String(at) }),
    )
    expect((await Promise.all(moves)).filter(Boolean)).toHaveLength(1)
    expect(await pins.advance(NAME, { seq: 0, head: 'another' }, { seq: 1, head: 'x' })).toBe(false)
    expect(await pins.advance(NAME, await pins.get(NAME), { seq: 1, head: 'x' })).toBe(true)
    expect(await pins.get(NAME)).toEqual({ seq: 1, head: 'x' })
    expect(await pins.get('did:ath:other')).toBeUndefined()
  })
})

test('an answer that another overtook is no rollback', async () => {
  const pins = memoryPins()
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let first = true
  const resolver = registryResolver({
    url,
    pins,
    fetch: async (...call) => {
      if (!first) return liar(() => operations)(...call)
      first = false
      await held
      return liar(() => operations.slice(0, 1))(...call)
    },
  })
  const slow = resolver.state(NAME)
  expect(await resolver.state(NAME)).toMatchObject({ seq: 1 })
  release()
  expect(await slow).toMatchObject({ seq: 1 })
})

describe('an answer that cannot be judged is no lie, but does not resolve', () => {
  test.each<[string, string, () => Response | Promise<Response>]>([
    ['HTTP 500', 'transport_failed', () => new Response('{}', { status: 500 })],
    ['a redirect', 'peer_violation', () => new Response(null, { status: 302, headers: { location: '/' } })],
    ['what is no history', 'peer_violation', () => new Response('{"operations":{}}')],
    ['more than a history can be', 'peer_violation', () => new Response('x'.repeat(1_200_000))],
  ])('%s', async (_, trouble, answer) => {
    const registry = registryResolver({ url, fetch: async () => answer() })
    await expect(registry.state(NAME)).rejects.toMatchObject({ trouble })
    const resolver = createResolver({ registry, now: () => NOW })
    await expect(resolver.resolve(NAME)).rejects.toMatchObject({ error: 'resolver_unavailable' })
  })

  test('an answer that does not end', async () => {
    const body = () => new ReadableStream({ pull: () => new Promise(() => undefined) })
    const registry = registryResolver({ url, within: 20, fetch: async () => new Response(body()) })
    await expect(registry.state(NAME)).rejects.toMatchObject({
      trouble: 'transport_failed',
      cause: { name: 'TimeoutError' },
    })
  })
})

test('a registry is https:, and in plaintext on this machine alone, where that is allowed', () => {
  const make = (given: string, allowPlaintextOnLoopback = false) => {
    return () => registryResolver({ url: given, allowPlaintextOnLoopback })
  }
  for (const given of ['http://registry.example', 'http://127.0.0.1:1', 'https://r.example?x', 'registry']) {
    expect(make(given)).toThrow(TypeError)
  }
  expect(make('http://registry.example', true)).toThrow(TypeError)
  expect(make('http://127.0.0.1:1', true)).not.toThrow()
  expect(make('https://registry.example/behind/a/path/')).not.toThrow()
})

describe('createRegistryClient', () => {
  test('submits, and from then on believes no history without it', async () => {
    const at = openRegistry()
    const pins = memoryPins()
    const client = createRegistryClient({ url, fetch: at.fetch, pins })
    expect(await client.submit(shop.create)).toEqual(await pins.get(NAME))
    const state = (await client.state(NAME)) as DidState
    const update = await updateOperation({
      state,
      signers: [shop.controlling],
      document: shop.document,
      now: NOW,
    })
    expect(await client.submit(update)).toMatchObject({ seq: 1 })
    const lying = registryResolver({ url, pins, fetch: liar(() => [shop.create]) })
    await expect(lying.state(NAME)).rejects.toEqual(violation(/rolled back/))
  })

  test('does no harm when an answer is lost, and says so when another was first', async () => {
    const at = openRegistry()
    let lose = true
    const client = createRegistryClient({
      url,
      fetch: async (to, init) => {
        const response = await at.fetch(to, init)
        if (!lose) return response
        lose = false
        throw new Error('the answer is lost')
      },
    })
    expect(await client.submit(shop.create)).toMatchObject({ seq: 0 })
    expect(at.sent.filter((line) => line.startsWith('POST'))).toHaveLength(2)
    const rival = await registration(NAME, shop.speaking, shop.controlling)
    await expect(client.submit(rival.create as JsonObject as DidOperation)).rejects.toMatchObject({
      error: 'out_of_order',
    })
  })
})
