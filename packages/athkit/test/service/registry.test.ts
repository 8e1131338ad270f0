import { expect, test } from 'vitest'
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
import { NAME, named } from '../did/names.ts'
import { openRegistry, URL_OF_REGISTRY } from '../registry/world.ts'
import { agentOf, HANDSHAKE, NOW, ORIGIN, type Shop, shop } from './shop.ts'

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
