import { createAgent } from 'athkit/agent'
import { fetchWith } from './connections.ts'
import { agentParty, authorizationFor } from './parties.ts'
import type { Server } from './server-process.ts'
import { median, percentile, row } from './table.ts'

const HANDSHAKES = Number(process.env.BENCH_HANDSHAKES ?? 300)
const REPEATS = 3

/** What a handshake costs the server, how often it crosses the network, how long it takes. */
export async function measureHandshakes(server: Server): Promise<void> {
  const [costs, floors] = [[] as number[], [] as number[]]
  for (let i = 0; i < REPEATS; i++) {
    costs.push(await server.ask<number>('handshake cost'))
    floors.push(await server.ask<number>('primitives'))
  }
  row(
    'server CPU per handshake / its primitives',
    median(costs.map((cost, i) => cost / (floors[i] ?? Number.NaN))).toFixed(2),
    `${median(costs).toFixed(0)} µs / ${median(floors).toFixed(0)} µs, in its handler, discovery included`,
  )

  let trips = 0
  const fetch = fetchWith(server.ca)
  const agent = createAgent({
    identity: agentParty,
    allowPlaintextOnLoopback: true,
    fetch: (url, init) => {
      trips++
      return fetch(url, init)
    },
  })
  const authorization = await authorizationFor(server.serverDid)
  const times: number[] = []
  for (let i = 0; i < 2 * HANDSHAKES; i++) {
    if (i === HANDSHAKES) [trips, times.length] = [0, 0]
    const begin = performance.now()
    await agent.connect(server.origin, { authorization, scopes: ['goods:read'] })
    times.push(performance.now() - begin)
  }
  row('round trips per handshake, nobody asked', String(trips / HANDSHAKES - 1), 'and one for discovery')
  row(
    'wall time of a handshake on loopback',
    `p50 ${percentile(times, 0.5).toFixed(1)} ms`,
    `p95 ${percentile(times, 0.95).toFixed(1)} ms, n = ${times.length}, over connections that are kept`,
  )
}
