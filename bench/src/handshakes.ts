import { createAgent } from 'athkit/agent'
import { fetchWith } from './connections.ts'
import { HANDSHAKE_PRIMITIVES } from './handshake-primitives.ts'
import { agentParty, authorizationFor } from './parties.ts'
import { type Server, serverCpu } from './server-process.ts'
import { median, percentile, row } from './table.ts'

const HANDSHAKES = Number(process.env.BENCH_HANDSHAKES ?? 200)
const REPEATS = 7
/** Rounds before anything counts: a server is not measured while it is still being compiled. */
const WARM_UPS = 5
/** How many agents come at a time where the whole process is measured. */
const AT_A_TIME = 8

/** What a handshake costs the server, against its cryptography alone. */
export async function measureHandshakeCpu(server: Server, name: string): Promise<void> {
  const { once } = await handshakesWith(server)
  const rounds: Round[] = []
  for (let i = 0; i < WARM_UPS + REPEATS; i++) {
    const round = { ...(await inHandler(server, once)), process: await inProcess(server, once) }
    if (i >= WARM_UPS) rounds.push(round)
  }
  const middle = (of: (round: Round) => number) => median(rounds.map(of))
  const floor = `${middle(({ primitives }) => primitives).toFixed(0)} µs`
  row(
    `server CPU per handshake / its primitives, ${name}`,
    middle(({ handler, primitives }) => handler / primitives).toFixed(2),
    `${middle(({ handler }) => handler).toFixed(0)} µs / ${floor}: from m1 to m9b, each message from its last byte to its answer`,
  )
  row(
    `the same for the whole server process, ${name}`,
    middle(({ process, primitives }) => process / primitives).toFixed(2),
    `${middle(({ process }) => process).toFixed(0)} µs / ${floor}: HTTP, TLS, discovery and all, ${AT_A_TIME} agents at a time`,
  )
}

/** How often a handshake crosses the network, and how long it takes. */
export async function measureHandshakeTime(server: Server, name: string): Promise<void> {
  const { once, trips } = await handshakesWith(server)
  for (let i = 0; i < HANDSHAKES; i++) await once()
  const before = trips()
  const times: number[] = []
  for (let i = 0; i < HANDSHAKES; i++) {
    const begin = performance.now()
    await once()
    times.push(performance.now() - begin)
  }
  row('its primitives', '', listed())
  row(
    'round trips per handshake, nobody asked',
    String((trips() - before) / HANDSHAKES - 1),
    'and one for discovery',
  )
  row(
    `wall time of a handshake on loopback, ${name}`,
    `p50 ${percentile(times, 0.5).toFixed(1)} ms`,
    `p95 ${percentile(times, 0.95).toFixed(1)} ms, n = ${times.length}, over connections that are kept`,
  )
}

async function handshakesWith(server: Server) {
  let trips = 0
  const fetch = fetchWith(server.ca)
  const agent = createAgent({
    identity: agentParty,
    allowPlaintextOnLoopback: server.origin.startsWith('http:'),
    fetch: (url, init) => {
      trips++
      return fetch(url, init)
    },
  })
  const authorization = await authorizationFor(server.serverDid)
  const once = () => agent.connect(server.origin, { authorization, scopes: ['goods:read'] })
  return { once, trips: () => trips }
}

/** Microseconds of CPU for one handshake. */
interface Round {
  readonly handler: number
  readonly primitives: number
  readonly process: number
}

/** One agent; after each handshake the server does its primitives once more by themselves, so that both meet the same machine. */
async function inHandler(server: Server, once: () => Promise<unknown>) {
  const before = await server.ask<number>('handler cpu')
  let primitives = 0
  for (let i = 0; i < HANDSHAKES; i++) {
    await once()
    primitives += await server.ask<number>('primitives')
  }
  const handler = (await server.ask<number>('handler cpu')) - before
  return { handler: handler / HANDSHAKES, primitives: primitives / HANDSHAKES }
}

async function inProcess(server: Server, once: () => Promise<unknown>): Promise<number> {
  let left = HANDSHAKES
  const agents = async () => {
    while (left-- > 0) await once()
  }
  return (await serverCpu(server, () => Promise.all(Array.from({ length: AT_A_TIME }, agents)))) / HANDSHAKES
}

const listed = () =>
  Object.entries(HANDSHAKE_PRIMITIVES)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
