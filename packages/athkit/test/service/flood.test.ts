import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'
import { createAgent } from '../../src/agent/index.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { createHandshakeRequest } from '../../src/handshake/index.ts'
import { createHandler } from '../../src/http/index.ts'
import { createService } from '../../src/service/index.ts'
import { memory } from '../../src/store/memory.ts'
import { createUser } from '../../src/user/index.ts'
import { ASK_NOBODY, agentOf, NOW, party, shop } from './shop.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

const PENDING = 50
const NONCES = 500

async function world() {
  const [server, client, userParty] = await Promise.all([party(), party(), party()])
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  const store = memory()
  const service = createService({
    identity: server,
    origin,
    allowPlaintextOnLoopback: true,
    name: 'Shop',
    scopes: { 'goods:read': { description: 'Search products', skipUserConfirmation: true } },
    users: { find: (did) => (did === userParty.did ? { account: '1' } : undefined) },
    store,
    // As if each message came from another address.
    limits: { exempt: () => true, pendingHandshakes: PENDING, rememberedNonces: NONCES },
    onEvent: () => undefined,
  })
  listener.on('request', toNodeListener(createHandler(service)))
  const sockets = new Agent({ keepAlive: true, maxSockets: 16 })
  stops.push(
    () => listener.close(),
    () => listener.closeAllConnections(),
    () => sockets.destroy(),
  )
  const user = createUser({ identity: userParty })
  const agent = createAgent({ identity: client, allowPlaintextOnLoopback: true })
  const authorization = await user.authorize({
    clientDid: client.did,
    scopes: ['goods:read'],
    audience: server.did,
    expiresInSeconds: 600,
  })

  async function m1(): Promise<number> {
    const now = Math.floor(Date.now() / 1000)
    const message = await createHandshakeRequest({ client, audience: origin, now, random: randomBytes(16) })
    const body = JSON.stringify(message)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    return new Promise((resolve, reject) => {
      const sent = request(
        `${origin}/ath/handshake`,
        { method: 'POST', headers, agent: sockets },
        (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
        },
      )
      sent.on('error', reject).end(body)
    })
  }

  /** m1 and nothing after it, from sixteen connections. */
  async function flood(count: number): Promise<void> {
    const each = async () => {
      for (let i = 0; i < count / 16; i++) if ((await m1()) !== 201) throw new Error('m1 was refused')
    }
    await Promise.all(Array.from({ length: 16 }, each))
  }

  async function handshakesKept(): Promise<number> {
    let count = 0
    for await (const { partition } of store.rows()) if (partition.startsWith('handshake:')) count++
    return count
  }

  const connect = () => agent.connect(origin, { authorization, scopes: ['goods:read'] })
  return { flood, connect, handshakesKept, store, service }
}

function heapInUse(): number {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i++) gc()
  return process.memoryUsage().heapUsed
}

describe('a flood of message 1, over sockets', () => {
  test('leaves honest handshakes working, and no more behind than is configured', {
    timeout: 60_000,
  }, async () => {
    const { flood, connect, handshakesKept } = await world()
    await flood(NONCES + 100)
    const before = heapInUse()
    const flooding = flood(2000)
    const sessions = []
    for (let i = 0; i < 5; i++) sessions.push(await connect())
    await flooding
    expect(sessions.every(({ grant }) => grant.scopes.includes('goods:read'))).toBe(true)
    // Five honest ones are remembered beside those that never went on.
    expect(await handshakesKept()).toBeLessThanOrEqual(PENDING + 5)
    const grown = (heapInUse() - before) / 1_048_576
    console.log(`2000 more messages 1: ${grown.toFixed(1)} MiB more in use`)
    expect(grown).toBeLessThan(8)
  })
})

describe('bounds before cryptography', () => {
  test('the oldest open handshake makes room; one that has come to m3 is no longer among them', async () => {
    const at = await shop({ ...ASK_NOBODY, limits: { exempt: () => true, pendingHandshakes: 2 } })
    const [first, second] = [await agentOf(at), await agentOf(at)]
    expect((await first.post(first.m3)).status).toBe(200)
    const third = await agentOf(at)
    await agentOf(at)
    expect((await second.post(second.m3)).body).toMatchObject({ error: 'handshake_unknown' })
    expect((await third.post(third.m3)).status).toBe(200)
    expect((await first.post(await first.m5())).status).toBe(200)
  })

  test('by agent, once it has proven who it is; the handshake goes on when the time has come', async () => {
    const at = await shop({ ...ASK_NOBODY, limits: { handshakesPerAgent: 2 } })
    const agents = [await agentOf(at), await agentOf(at), await agentOf(at)] as const
    const other = await agentOf(at, { agent: await party() })
    const statuses = []
    for (const agent of agents) statuses.push((await agent.post(agent.m3)).status)
    expect(statuses).toEqual([200, 200, 429])
    expect((await other.post(other.m3)).status).toBe(200)
    at.clock.now += 30
    expect((await agents[2].post(agents[2].m3)).status).toBe(200)
  })

  test('whoever only claims to be an agent uses up nothing of its limit', async () => {
    const at = await shop({ ...ASK_NOBODY, limits: { handshakesPerAgent: 1 } })
    const [liar, agent] = [await agentOf(at), await agentOf(at)]
    expect((await liar.post({ ...liar.m3, signature: agent.m3.signature } as never)).status).toBe(401)
    expect((await agent.post(agent.m3)).status).toBe(200)
  })
})

test('rows that have expired are removed in the background', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    const asked: number[] = []
    const sweep = async (now: number) => {
      asked.push(now)
      return asked.length === 1 ? 500 : 3
    }
    const at = await shop({ store: { ...memory(), sweep } })
    expect(asked).toEqual([])
    vi.advanceTimersByTime(30_000)
    // A full round is followed by another, one that was not is the last.
    await vi.waitFor(() => expect(asked).toEqual([NOW, NOW]))
    await at.service.drain()
  } finally {
    vi.useRealTimers()
  }
})
