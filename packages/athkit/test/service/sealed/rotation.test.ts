import { describe, expect, test } from 'vitest'
import { generateShare } from '../../../src/crypto/ecdh.ts'
import type { JsonObject } from '../../../src/crypto/json.ts'
import { createRotationRequest, finishRotation } from '../../../src/session/rotation.ts'
import { type Client, type Keys, otherNode, type SendOptions, sealedShop } from './session.ts'

type World = Awaited<ReturnType<typeof sealedShop>>

async function asking({ at }: World, alg: 'ECDH-P256' | 'ECDH-X25519' = 'ECDH-P256') {
  const share = await generateShare(alg)
  return { share, request: createRotationRequest(share, at.clock.now) }
}
type Asking = Awaited<ReturnType<typeof asking>>

const ask = (client: Client, { request }: { request: JsonObject }, options: SendOptions = {}) =>
  client.send('POST', '/ath/session/keys', { body: JSON.stringify(request), ...options })

const keysFrom = async (
  { at, client }: World,
  { share, request }: Asking,
  answer: JsonObject,
  from: Keys,
) => {
  const keys = { rekey: from.rekey, cipher: client.cipher }
  const highestEpoch = (answer.epoch as number) - 1
  const finished = await finishRotation(answer, { request, share, keys, highestEpoch, now: at.clock.now })
  return finished.keys
}

const CONFLICT = { outer: 200, status: 409, ath: true }

describe('rotation (ATH-7.9)', () => {
  test.each(['ECDH-P256', 'ECDH-X25519'] as const)('new keys by %s; the old live 30 s more', async (alg) => {
    const world = await sealedShop()
    const { at, client } = world
    const asked = await asking(world, alg)
    const { status, json, ath } = await ask(client, asked)
    expect({ status, ath }).toEqual({ status: 200, ath: true })
    expect(json).toMatchObject({ type: 'key_rotation', epoch: 1, key_exchange_alg: alg })
    const keys = await keysFrom(world, asked, json, client.keys)
    at.clock.now += 100
    expect(await client.send('GET', '/', { seq: 50 })).toMatchObject({ status: 200 })
    expect(await client.send('GET', '/', { keys, seq: 0 })).toMatchObject({ status: 200 })
    at.clock.now += 29
    expect(await client.send('GET', '/', { seq: 51 })).toMatchObject({ status: 200 })
    at.clock.now += 1
    expect(await client.send('GET', '/', { seq: 52 })).toMatchObject({ outer: 401, error: 'session_expired' })
    expect(await client.send('GET', '/', { keys, seq: 1 })).toMatchObject({ status: 200 })
  })

  test('seq of each epoch counts by itself', async () => {
    const world = await sealedShop()
    const { client } = world
    const asked = await asking(world)
    const { json } = await ask(client, asked, { seq: 0 })
    const keys = await keysFrom(world, asked, json, client.keys)
    expect(await client.send('GET', '/', { keys, seq: 0 })).toMatchObject({ status: 200 })
    expect(await client.send('GET', '/', { keys, seq: 0 })).toMatchObject({ error: 'replayed' })
    expect(await client.send('GET', '/', { seq: 0 })).toMatchObject({ error: 'replayed' })
  })

  test('the identical request has the identical answer, on every node; another is rotation_pending', async () => {
    const world = await sealedShop()
    const { at, client } = world
    const [first, second] = [await asking(world), await asking(world)]
    const { text } = await ask(client, first)
    const again = await ask(client, { request: { ...first.request } }, { via: otherNode(at) })
    expect(again).toMatchObject({ status: 200, text })
    expect(await ask(client, second)).toMatchObject({ ...CONFLICT, error: 'rotation_pending' })
  })

  test('twenty identical at once, and twenty different: one epoch', async () => {
    const world = await sealedShop()
    const { at, client } = world
    const nodes = [at, otherNode(at)] as const
    const asked = await asking(world)
    const same = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ask(client, asked, { via: nodes[i % 2] ?? at })),
    )
    expect(new Set(same.map(({ text }) => text)).size).toBe(1)
    expect(at.events.concat(nodes[1].events).filter(({ type }) => type === 'keys_rotated')).toHaveLength(1)

    const other = await sealedShop()
    const many = await Promise.all(Array.from({ length: 20 }, async () => asking(other)))
    const answers = await Promise.all(many.map((each) => ask(other.client, each)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ error }) => error === 'rotation_pending')).toHaveLength(19)
  })

  test('after 30 s another supersedes, a third never; both wait, the confirmed one drops the other', async () => {
    for (const chosen of [1, 2]) {
      const world = await sealedShop()
      const { at, client } = world
      const [first, second, third] = [await asking(world), await asking(world), await asking(world)]
      const one = await keysFrom(world, first, (await ask(client, first)).json, client.keys)
      at.clock.now += 29
      expect(await ask(client, second)).toMatchObject({ error: 'rotation_pending' })
      at.clock.now += 1
      const { json } = await ask(client, second)
      expect(json).toMatchObject({ epoch: 2 })
      const two = await keysFrom(world, second, json, client.keys)
      at.clock.now += 100
      expect(await ask(client, third)).toMatchObject({ ...CONFLICT, error: 'rotation_pending' })
      const [keys, dropped] = chosen === 1 ? [one, two] : [two, one]
      expect(await client.send('GET', '/', { keys, seq: 0 })).toMatchObject({ status: 200 })
      for (const via of [at, otherNode(at)]) {
        expect(await client.send('GET', '/', { keys: dropped, via })).toMatchObject({
          outer: 401,
          error: 'session_expired',
        })
      }
    }
  })

  test('an epoch that another node has dropped is refused by one that still holds its keys', async () => {
    const world = await sealedShop()
    const { at, client } = world
    const [first, second] = [await asking(world), await asking(world)]
    const one = await keysFrom(world, first, (await ask(client, first)).json, client.keys)
    at.clock.now += 30
    const two = await keysFrom(world, second, (await ask(client, second)).json, client.keys)
    expect(await client.send('GET', '/', { keys: one, via: otherNode(at) })).toMatchObject({ status: 200 })
    expect(await client.send('GET', '/', { keys: two })).toMatchObject({ error: 'session_expired' })
    expect(await client.send('GET', '/', { keys: one, seq: 1 })).toMatchObject({ status: 200 })
  })

  test('under the newest confirmed epoch only, else out_of_order; numbers are never used twice', async () => {
    const world = await sealedShop()
    const { at, client } = world
    const asked = await asking(world)
    const { json, text } = await ask(client, asked)
    const keys = await keysFrom(world, asked, json, client.keys)
    await client.send('GET', '/', { keys })
    const next = await asking(world)
    expect(await ask(client, next)).toMatchObject({ ...CONFLICT, error: 'out_of_order' })
    // The one that was answered before is no new rotation.
    expect(await ask(client, asked)).toMatchObject({ status: 200, text })
    expect((await ask(client, next, { keys })).json).toMatchObject({ epoch: 2 })
    at.clock.now += 30
    const third = await asking(world)
    expect((await ask(client, third, { keys })).json).toMatchObject({ epoch: 3 })
  })

  test('asked for under an epoch that waits: that very request confirms it', async () => {
    const world = await sealedShop()
    const { client } = world
    const asked = await asking(world)
    const keys = await keysFrom(world, asked, (await ask(client, asked)).json, client.keys)
    const next = await asking(world)
    expect((await ask(client, next, { keys })).json).toMatchObject({ epoch: 2 })
  })

  test.each([
    ['no JSON', 'x', 400],
    ['another type', JSON.stringify({ type: 'token_renewal', timestamp: 1 }), 400],
    ['an array', '[]', 400],
    ['nothing', '', 400],
    ['too long', 'x'.repeat(70_000), 413],
  ])('%s: %s', async (_, body, status) => {
    const { client } = await sealedShop()
    expect(await client.send('POST', '/ath/session/keys', { body })).toMatchObject({ status, ath: true })
  })

  test('a share off the curve, an algorithm that m2 does not allow, a clock that is off', async () => {
    const world = await sealedShop(undefined, {}, { session: { capabilities: ['TLS1.3', 'ES256'] } })
    const { client } = world
    const { request } = await asking(world)
    const off = { ...request, key_exchange_params: `${'A'.repeat(86)}B` }
    expect(await ask(client, { request: off })).toMatchObject({ status: 400, error: 'malformed_message' })
    const x = await asking(world, 'ECDH-X25519')
    expect(await ask(client, x)).toMatchObject({ status: 400, error: 'no_common_capability' })
    const late = { ...request, timestamp: request.timestamp - 301 }
    expect(await ask(client, { request: late })).toMatchObject({ status: 401, error: 'timestamp_skew' })
    // None of them left anything half done.
    expect((await ask(client, { request })).json).toMatchObject({ epoch: 1 })
  })

  test('Idempotency-Key and rate_limit do not concern it', async () => {
    const restrictions = { rate_limit: '1/minute' }
    const world = await sealedShop(undefined, {}, { grant: { restrictions } })
    const { client } = world
    const headers = [['idempotency-key', 'k']] as const
    expect(await ask(client, await asking(world), { headers })).toMatchObject({ status: 200 })
    expect(await ask(client, await asking(world), { headers })).toMatchObject({ error: 'rotation_pending' })
    expect(await client.send('GET', '/', { headers })).toMatchObject({ status: 200 })
    expect(await client.send('GET', '/')).toMatchObject({ status: 429 })
  })
})
