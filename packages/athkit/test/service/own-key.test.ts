import { expect, test } from 'vitest'
import { createAgent } from '../../src/agent/index.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import {
  createResolver,
  type DidState,
  memoryPins,
  registryResolver,
  rotateKeyOperation,
} from '../../src/did/index.ts'
import type { Fetch } from '../../src/net/request.ts'
import { createUser } from '../../src/user/index.ts'
import { named } from '../did/names.ts'
import { openRegistry, URL_OF_REGISTRY } from '../registry/world.ts'
import { ASK_NOBODY, agentOf, NOW, ORIGIN, open, type Shop, shop } from './shop.ts'

/** A shop under a name; `nodes` is where requests go, and may be exchanged. */
async function namedShop() {
  const registry = openRegistry()
  const own = await named('did:ath:ecommerce_platform_001')
  await registry.submit(own.create)
  const world = await shop()
  const server = { did: own.did, signer: own.speaking }
  const more = { ...ASK_NOBODY, restrictions: {} }
  const at = { node: open({ ...world, server }, more) }
  at.node.service.setApplication(() => new Response('ok'))
  const fetch: Fetch = async (url, init) => {
    const { redirect: _r, credentials: _c, cache: _k, referrerPolicy: _p, ...rest } = init
    const response = await at.node.handler(new Request(url, rest), { address: '192.0.2.1' })
    return response ?? new Response(null, { status: 404 })
  }
  const now = () => world.clock.now
  const resolver = createResolver({
    registry: registryResolver({ url: URL_OF_REGISTRY, fetch: registry.fetch, pins: memoryPins() }),
    now,
  })
  const agent = createAgent({ identity: world.agent, fetch, resolver, now, sleep: async () => undefined })
  const user = createUser({ identity: world.user, now })
  const scopes = ['goods:read']
  const asked = { clientDid: agent.did, scopes, audience: own.did, expiresInSeconds: 7200 }
  const connect = async () => agent.connect(ORIGIN, { authorization: await user.authorize(asked), scopes })

  /** Another key in the place of the server's, in its document and, with `restart`, on its nodes. */
  async function exchange(): Promise<{ restart(): Shop }> {
    const next = await generateSigner('EdDSA')
    const state = (await registry.registry.state(own.did)) as DidState
    const from = own.speaking.publicKey
    await registry.submit(
      await rotateKeyOperation({ state, from, to: next, signers: [own.controlling], now: NOW }),
    )
    return {
      restart() {
        const identity = { did: own.did, signer: next }
        at.node = open({ ...world, server: identity }, { ...more, identity, formerKeys: [from] })
        at.node.service.setApplication(() => new Response('ok'))
        return at.node
      },
    }
  }
  return { at, world, connect, exchange, clock: world.clock }
}

test('a service exchanges its key while sessions live: their tokens verify, renewals and new handshakes are of the new one', async () => {
  const { connect, exchange, clock } = await namedShop()
  const session = await connect()
  expect((await session.fetch('/api/goods')).status).toBe(200)
  ;(await exchange()).restart()
  // Under a token that the former key has signed.
  expect((await session.fetch('/api/goods')).status).toBe(200)
  // The agent has the old document in its cache, and reads it anew (ATH-7.10).
  expect(await session.renew()).toBe(NOW + 3600)
  expect((await session.fetch('/api/goods')).status).toBe(200)
  const another = await connect()
  expect((await another.fetch('/api/goods')).status).toBe(200)
  clock.now += 3500
  await another.renew()
})

test('a handshake that comes to a node with another key begins again, before the user is asked', async () => {
  const { at, exchange } = await namedShop()
  const agent = await agentOf(at.node)
  await agent.post(agent.m3)
  const m5 = await agent.m5()
  const node = (await exchange()).restart()
  const unknown = { status: 404, body: { error: 'handshake_unknown' } }
  expect(await node.call('POST', agent.url, m5)).toMatchObject(unknown)
  // Nothing has been done, and a node with the old key still can.
  expect(node.events.map(({ type }) => type)).not.toContain('scopes_decided')
})

test('and so does one whose scopes were decided already', async () => {
  const { at, exchange } = await namedShop()
  const agent = await agentOf(at.node)
  await agent.post(agent.m3)
  const m5 = await agent.m5()
  const old = at.node
  expect((await agent.post(m5)).status).toBe(200)
  const node = (await exchange()).restart()
  const m9a = await agent.m9a(m5)
  expect(await node.call('POST', agent.url, m9a)).toMatchObject({
    status: 404,
    body: { error: 'handshake_unknown' },
  })
  expect((await old.call('POST', agent.url, m9a)).status).toBe(200)
  // What was finished is answered again, on any node.
  expect((await node.call('POST', agent.url, m9a)).status).toBe(200)
})

test('a server key that was removed is believed by no agent that reads the document anew', async () => {
  const { world, at, connect } = await namedShop()
  await connect()
  const other = await generateSigner()
  at.node = open({ ...world, server: { did: 'did:ath:ecommerce_platform_001', signer: other } }, ASK_NOBODY)
  await expect(connect()).rejects.toMatchObject({ error: 'key_mismatch' })
})
