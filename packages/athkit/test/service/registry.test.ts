import { describe, expect, test } from 'vitest'
import { createAgent } from '../../src/agent/index.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import {
  createResolver,
  type DidState,
  deactivateOperation,
  memoryPins,
  registryResolver,
} from '../../src/did/index.ts'
import * as h from '../../src/handshake/index.ts'
import type { Fetch } from '../../src/net/request.ts'
import { createUser } from '../../src/user/index.ts'
import { NAME, named } from '../did/names.ts'
import { openRegistry, URL_OF_REGISTRY } from '../registry/world.ts'
import { ASK_NOBODY, agentOf, HANDSHAKE, NOW, ORIGIN, type Shop, shop } from './shop.ts'

/** A shop whose agents have names in a registry. */
async function registeredShop() {
  const registry = openRegistry()
  const agent = await named()
  await registry.submit(agent.create)
  const clock = { ahead: 0 }
  const at = await shop({
    resolver: createResolver({
      registry: registryResolver({ url: URL_OF_REGISTRY, fetch: registry.fetch, pins: memoryPins() }),
      now: () => NOW + clock.ahead,
    }),
  })
  return { registry, agent, at, clock, client: { did: NAME, signer: agent.speaking } }
}

const m1 = async (at: Shop, client: h.Identity) =>
  at.call(
    'POST',
    HANDSHAKE,
    await h.createHandshakeRequest({ client, audience: ORIGIN, now: NOW, random: randomBytes(16) }),
  )

test('an agent with a name in the registry proves it', async () => {
  const { at, client } = await registeredShop()
  const agent = await agentOf(at, { agent: client })
  expect((await agent.post(agent.m3)).status).toBe(200)
})

test('a key that is not in its document is 401 key_mismatch; after a deactivation it is identity_revoked (ATH-4.3)', async () => {
  const { at, agent, registry, client, clock } = await registeredShop()
  expect(await m1(at, { did: NAME, signer: agent.controlling })).toMatchObject({
    status: 401,
    body: { error: 'key_mismatch' },
  })
  const state = (await registry.registry.state(NAME)) as DidState
  await registry.submit(await deactivateOperation({ state, signers: [agent.controlling], now: NOW }))
  clock.ahead = 300
  expect(await m1(at, client)).toMatchObject({ status: 401, body: { error: 'identity_revoked' } })
})

test('a registry that lies is 503 to the agent, and told to the operator by its name', async () => {
  const { client } = await registeredShop()
  const lying = await shop({ resolver: liarResolver((await named()).create) })
  expect(await m1(lying, client)).toMatchObject({ status: 503, body: { error: 'resolver_unavailable' } })
  expect(lying.events).toContainEqual(
    expect.objectContaining({
      type: 'failed',
      cause: expect.objectContaining({ trouble: 'registry_violation' }),
    }),
  )
})

function liarResolver(operation: JsonObject) {
  const pins = memoryPins()
  void pins.advance(NAME, undefined, { seq: 0, head: 'what was seen before' })
  const fetch = async () => new Response(JSON.stringify({ operations: [operation] }))
  return createResolver({ registry: registryResolver({ url: URL_OF_REGISTRY, fetch, pins }), now: () => NOW })
}

describe('a registry that fails in the middle of a handshake', () => {
  /** Agent and user have names; what the registry does next is the test's. */
  async function handshake(more: Parameters<typeof shop>[0] = {}) {
    const registry = openRegistry()
    const [agent, user] = await Promise.all([named(), named('did:ath:user_001')])
    await registry.submit(agent.create)
    await registry.submit(user.create)
    const state = { mode: 'up' as 'up' | 'down' | 'slow', ahead: 0 }
    const fetch: Fetch = async (url, init) => {
      if (state.mode === 'down') throw new TypeError('connection refused')
      if (state.mode === 'slow') return new Promise(() => undefined)
      return registry.fetch(url, init)
    }
    const resolving = { url: URL_OF_REGISTRY, fetch, pins: memoryPins(), within: 50 }
    const at = await shop({
      ...more,
      resolver: createResolver({ registry: registryResolver(resolving), now: () => NOW + state.ahead }),
      users: { find: () => ({ account: 'account-1' }) },
    })
    const identityOf = ({ did, speaking }: typeof agent) => ({ did, signer: speaking })
    return { at, state, client: identityOf(agent), user: identityOf(user) }
  }

  test.each(['down', 'slow'] as const)(
    '%s: 503 resolver_unavailable, and the same message again when it is back',
    async (mode) => {
      const { at, state, client, user } = await handshake()
      const shaking = await agentOf({ ...at, user }, { agent: client })
      state.mode = mode
      // What was resolved is fresh: nobody asks for it again (ATH-4.3).
      expect((await shaking.post(shaking.m3)).status).toBe(200)
      const m5 = await shaking.m5()
      const refused = await shaking.post(m5)
      expect(refused).toMatchObject({ status: 503, body: { error: 'resolver_unavailable', retryable: true } })
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      state.mode = 'up'
      // A failure is remembered for ten seconds (ATH-4.4).
      expect((await shaking.post(m5)).status).toBe(503)
      state.ahead = 10
      expect((await shaking.post(m5)).status).toBe(202)
    },
  )

  test('an agent that waits as it is told gets through', async () => {
    const { at, state, client, user } = await handshake(ASK_NOBODY)
    state.mode = 'down'
    const waits: number[] = []
    const agent = createAgent({
      identity: client,
      fetch: async (url, init) => {
        const { redirect: _r, credentials: _c, cache: _k, referrerPolicy: _p, ...rest } = init
        const response = await at.handler(new Request(url, rest), { address: '192.0.2.1' })
        return response ?? new Response(null, { status: 404 })
      },
      now: () => NOW,
      sleep: async (milliseconds) => {
        waits.push(milliseconds)
        Object.assign(state, { mode: 'up', ahead: state.ahead + 10 })
      },
    })
    const scopes = ['goods:read']
    const authorization = await createUser({ identity: user, now: () => NOW }).authorize({
      clientDid: client.did,
      scopes,
      audience: at.server.did,
      expiresInSeconds: 600,
    })
    const session = await agent.connect(ORIGIN, { authorization, scopes })
    expect(session.grant.scopes).toEqual(scopes)
    // As long as Retry-After says.
    expect(waits).toEqual([10_000])
  })
})
