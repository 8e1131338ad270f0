import { beforeEach, describe, expect, test, vi } from 'vitest'
import { generateSigner, type Signer } from '../../src/crypto/keys.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import {
  createResolver,
  type DidState,
  deactivateOperation,
  memoryPins,
  registryResolver,
  rotateKeyOperation,
} from '../../src/did/index.ts'
import { createHandshakeRequest } from '../../src/handshake/index.ts'
import type { Fetch } from '../../src/net/request.ts'
import { named } from '../did/names.ts'
import { openRegistry, URL_OF_REGISTRY } from '../registry/world.ts'
import { seed } from './sealed/session.ts'
import { ORIGIN, shop } from './shop.ts'

type Name = Awaited<ReturnType<typeof named>>
const [AGENT, USER] = ['did:ath:agent_001', 'did:ath:user_001']

let agent: Name
let user: Name
let registry: ReturnType<typeof openRegistry>
let isDown = false
let clock: { now: number }
let at: Awaited<ReturnType<typeof shop>>

beforeEach(async () => {
  isDown = false
  registry = openRegistry()
  ;[agent, user] = await Promise.all([named(AGENT), named(USER)])
  await registry.submit(agent.create)
  await registry.submit(user.create)
  const fetch: Fetch = async (url, init) => {
    if (isDown) throw new TypeError('nobody there')
    return registry.fetch(url, init)
  }
  clock = { now: 0 }
  const resolver = createResolver({
    registry: registryResolver({ url: URL_OF_REGISTRY, fetch, pins: memoryPins() }),
    now: () => clock.now,
  })
  at = await shop({ resolver, users: { find: () => ({ account: 'account-1' }) }, restrictions: {} })
  clock = at.clock
  at.service.setApplication(() => new Response('ok'))
})

const session = () => seed(at, { grant: { clientDid: AGENT, userDid: USER } })
const asked = () => registry.sent.length

async function deactivate({ did, controlling }: Name): Promise<void> {
  const state = (await registry.registry.state(did)) as DidState
  const now = registry.clock.now
  await registry.submit(await deactivateOperation({ state, signers: [controlling], now }))
}

describe('a deactivated DID ends its party’s grants, and nobody has to ask for it (ATH-8)', () => {
  test.each([
    ['the agent’s', () => agent],
    ['the user’s', () => user],
  ])('%s, within the time that documents are cached', async (_, who) => {
    const client = await session()
    const other = await session()
    expect((await client.send('GET', '/')).status).toBe(200)
    await deactivate(who())
    clock.now += 179
    expect((await client.send('GET', '/')).status).toBe(200)
    clock.now += 2
    // It is found out beside this request …
    await client.send('GET', '/')
    await vi.waitFor(() => expect(at.events.map(({ type }) => type)).toContain('revoked'))
    // … and ends the grants of every session of the party, of those that are not used too.
    for (const each of [client, other]) {
      expect(await each.send('GET', '/')).toMatchObject({ status: 401, error: 'grant_revoked' })
    }
  })

  test('after a pause before anything is done', async () => {
    const client = await session()
    await client.send('GET', '/')
    await deactivate(agent)
    clock.now += 3000
    expect(await client.send('GET', '/')).toMatchObject({ status: 401, error: 'grant_revoked' })
  })

  test('at the handshake that shows it', async () => {
    const client = await session()
    await client.send('GET', '/')
    await deactivate(agent)
    clock.now += 61
    // A key that the cached document does not list passes the cache over (ATH-4.4).
    const handshake = at.service.begin(await m1(agent.controlling), { address: '192.0.2.1' })
    await expect(handshake).rejects.toMatchObject({ error: 'identity_revoked' })
    expect(await client.send('GET', '/')).toMatchObject({ error: 'grant_revoked' })
  })
})

test('a look does not use up the one that a key mismatch has (ATH-4.4)', async () => {
  const client = await session()
  await client.send('GET', '/')
  clock.now += 200
  await client.send('GET', '/')
  await vi.waitFor(() => expect(asked()).toBe(4))
  const state = (await registry.registry.state(AGENT)) as DidState
  const next = await generateSigner()
  const rotation = { state, from: agent.speaking.publicKey, to: next, signers: [agent.controlling] }
  await registry.submit(await rotateKeyOperation({ ...rotation, now: registry.clock.now }))
  expect((await at.service.begin(await m1(next), { address: '192.0.2.1' })).id).toBeTruthy()
})

test('while nobody can say what became of a DID, what was granted stands', async () => {
  const client = await session()
  await client.send('GET', '/')
  isDown = true
  clock.now += 1000
  expect((await client.send('GET', '/')).status).toBe(200)
  // And it is looked for again soon after.
  await deactivate(agent)
  isDown = false
  clock.now += 31
  await client.send('GET', '/')
  await vi.waitFor(async () =>
    expect(await client.send('GET', '/')).toMatchObject({ error: 'grant_revoked' }),
  )
})

test('one look for each party in three minutes, however much is asked; none for a key form', async () => {
  const client = await session()
  await Promise.all(Array.from({ length: 20 }, () => client.send('GET', '/')))
  expect(asked()).toBe(2)
  clock.now += 180
  await Promise.all(Array.from({ length: 20 }, () => client.send('GET', '/')))
  await vi.waitFor(() => expect(asked()).toBe(4))
  const keyForm = await seed(at)
  await keyForm.send('GET', '/')
  expect(asked()).toBe(4)
})

async function m1(signer: Signer) {
  const client = { did: AGENT, signer }
  return createHandshakeRequest({ client, audience: ORIGIN, now: clock.now, random: randomBytes(16) })
}
