/** `npm run bench`: each row a ratio of two things measured in this one run. */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgent } from 'athkit/agent'
import { generateSigner } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { createUser } from 'athkit/user'
import { dpopHeaders } from './dpop.ts'

const HANDSHAKES = Number(process.env.BENCH_HANDSHAKES ?? 300)
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 4000)
const CONCURRENCY = 32
const REPEATS = 3

const party = async () => {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const percentile = (values: readonly number[], p: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))] ?? 0

const [agentParty, userParty] = await Promise.all([party(), party()])
const user = createUser({ identity: userParty })
const keepAlive = new Agent({ keepAlive: true, maxSockets: CONCURRENCY })

/** One request over the pool: what is sealed is posted, the rest is put. */
function post(
  url: string,
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<{ status: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method: url.endsWith('/ath/sealed') ? 'POST' : 'PUT',
        agent: keepAlive,
        headers: { ...headers, 'content-length': body.length },
      },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, bytes: Buffer.concat(chunks) }))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

interface Server {
  readonly child: ChildProcess
  readonly origin: string
  readonly serverDid: string
  /** To its handler without HTTP in between. */
  bareFetch(url: string, init: RequestInit): Promise<Response>
  ask<T>(question: string): Promise<T>
}

function startServer(file: string): Promise<Server> {
  const child = fork(new URL('./server.js', import.meta.url), [userParty.did, file])
  const bare = new Map<number, (response: Response) => void>()
  const waiting: ((message: never) => void)[] = []
  child.on(
    'message',
    (message: { id?: number; status: number; headers: [string, string][]; body: string }) => {
      const { id, status, headers, body } = message
      if (id === undefined) waiting.shift()?.(message as never)
      else bare.get(id)?.(new Response(body, { status, headers }))
      if (id !== undefined) bare.delete(id)
    },
  )
  const next = <T>() => new Promise<T>((resolve) => waiting.push(resolve))
  let requests = 0
  const bareFetch = (url: string, init: RequestInit) =>
    new Promise<Response>((resolve) => {
      const id = requests++
      bare.set(id, resolve)
      const body = init.body instanceof Uint8Array ? Buffer.from(init.body).toString() : undefined
      child.send({ id, url, method: init.method ?? 'GET', ...(body === undefined ? {} : { body }) })
    })
  return next<{ origin: string; serverDid: string }>().then(({ origin, serverDid }) => ({
    child,
    origin,
    serverDid,
    bareFetch,
    ask: (question) => {
      const answer = next<never>()
      child.send(question)
      return answer
    },
  }))
}

/** Microseconds of the server's CPU while something runs. */
async function serverCpu(server: Server, work: () => Promise<void>): Promise<number> {
  const before = await server.ask<NodeJS.CpuUsage>('cpu')
  await work()
  const after = await server.ask<NodeJS.CpuUsage>('cpu')
  return after.user + after.system - before.user - before.system
}

interface Load {
  readonly url: string
  readonly headers: (n: number) => Record<string, string>
  readonly body: (n: number) => Uint8Array
}

/** Sends everything, so many at a time. @returns requests per second, and microseconds of the server's CPU for each */
async function load(server: Server, count: number, { url, headers, body }: Load) {
  let next = 0
  const begin = performance.now()
  const cpu = await serverCpu(server, async () => {
    const worker = async () => {
      for (let n = next++; n < count; n = next++) {
        const { status } = await post(url, headers(n), body(n))
        if (status !== 200) throw new Error(`${url} answered ${status}`)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  })
  return { perSecond: count / ((performance.now() - begin) / 1000), cpu: cpu / count }
}

/** Sealed requests as an agent makes them, kept back until they are sent; each is good once. */
async function sealedBodies(server: Server, count: number): Promise<Uint8Array[]> {
  const kept: Uint8Array[] = []
  let keep = false
  const fetchOrKeep = async (url: string, init: RequestInit): Promise<Response> => {
    if (!keep || !url.endsWith('/ath/sealed')) return fetch(url, init)
    kept.push(new Uint8Array(await new Response(init.body ?? null).arrayBuffer()))
    throw new Error('kept')
  }
  const agent = createAgent({
    identity: agentParty,
    fetch: fetchOrKeep,
    allowPlaintextOnLoopback: true,
    sleep: () => Promise.reject(new Error('kept')),
  })
  const session = await agent.connect(server.origin, {
    authorization: await authorization(server),
    scopes: ['goods:read'],
  })
  const send = () => session.fetch('/sealed', { method: 'PUT', body: 'x'.repeat(1024) })
  await (await send()).arrayBuffer()
  keep = true
  while (kept.length < count) await send().catch(() => undefined)
  return kept.slice(0, count)
}

const authorization = (server: Server) =>
  user.authorize({
    clientDid: agentParty.did,
    scopes: ['goods:read'],
    audience: server.serverDid,
    expiresInSeconds: 3600,
  })

const rows: string[][] = []
const row = (what: string, ratio: string, detail: string) => rows.push([what, ratio, detail])
const folder = mkdtempSync(join(tmpdir(), 'athkit-bench-'))
const server = await startServer('')

console.error('handshakes …')
let trips = 0
const counted = (url: string, init: RequestInit) => {
  trips++
  return fetch(url, init)
}
const agent = createAgent({ identity: agentParty, fetch: counted, allowPlaintextOnLoopback: true })
const credential = await authorization(server)
const times: number[] = []
const bareAgent = createAgent({
  identity: agentParty,
  fetch: (url, init) => server.bareFetch(url, init),
  allowPlaintextOnLoopback: true,
})

/** So many handshakes, some of them at a time. */
async function handshakes(by: typeof agent, count: number, atATime: number) {
  let left = count
  const worker = async () => {
    while (left-- > 0) {
      const begin = performance.now()
      await by.connect(server.origin, { authorization: credential, scopes: ['goods:read'] })
      times.push(performance.now() - begin)
    }
  }
  await Promise.all(Array.from({ length: atATime }, worker))
}
await handshakes(bareAgent, 2 * HANDSHAKES, 16)
const [costs, ratios] = [[] as number[], [] as number[]]
for (let i = 0; i < REPEATS; i++) {
  const cost = (await serverCpu(server, () => handshakes(bareAgent, HANDSHAKES, 16))) / HANDSHAKES
  costs.push(cost)
  ratios.push(cost / (await server.ask<number>('primitives')))
}
await handshakes(agent, HANDSHAKES, 1)
;[trips, times.length] = [0, 0]
await handshakes(agent, HANDSHAKES, 1)
const perHandshake = trips / HANDSHAKES
row(
  'server CPU per handshake / its primitives',
  median(ratios).toFixed(2),
  `${median(costs).toFixed(0)} µs, discovery and its share of passing messages between processes included`,
)
row('round trips per handshake, nobody asked', String(perHandshake - 1), 'and one for discovery')
row(
  'wall time of a handshake on loopback',
  `p50 ${percentile(times, 0.5).toFixed(1)} ms`,
  `p95 ${percentile(times, 0.95).toFixed(1)} ms, n = ${times.length}`,
)

console.error('sealed requests of 1 KiB …')
async function compare(on: Server, name: string) {
  const plainBody = new TextEncoder().encode('x'.repeat(1024))
  const [rates, cpus, dpopRates] = [[] as number[], [] as number[], [] as number[]]
  for (let i = 0; i <= REPEATS; i++) {
    const sealed = await sealedBodies(on, REQUESTS)
    const dpop = await dpopHeaders(`${on.origin}/dpop`, REQUESTS / 4)
    const plain = await load(on, REQUESTS, {
      url: `${on.origin}/plain`,
      headers: () => ({}),
      body: () => plainBody,
    })
    const type = { 'content-type': 'application/ath-sealed' }
    const ours = await load(on, REQUESTS, {
      url: `${on.origin}/ath/sealed`,
      headers: () => type,
      body: (n) => sealed[n] as Uint8Array,
    })
    const proofs = await load(on, dpop.length, {
      url: `${on.origin}/dpop`,
      headers: (n) => dpop[n] as Record<string, string>,
      body: () => plainBody,
    })
    if (i === 0) continue // warms up
    rates.push(ours.perSecond / plain.perSecond)
    cpus.push(ours.cpu / plain.cpu)
    dpopRates.push(ours.perSecond / proofs.perSecond)
  }
  row(
    `sealed / unsealed, requests per second, ${name}`,
    median(rates).toFixed(2),
    `server CPU per request × ${median(cpus).toFixed(2)}`,
  )
  row(
    `sealed / Bearer with DPoP proof by jose, ${name}`,
    median(dpopRates).toFixed(2),
    `${CONCURRENCY} at a time`,
  )
}
await compare(server, 'memory')
server.child.disconnect()
const onDisk = await startServer(join(folder, 'bench.db'))
await compare(onDisk, 'SQLite')
onDisk.child.disconnect()
keepAlive.destroy()
rmSync(folder, { recursive: true, force: true })

const widths = [0, 1].map((column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
for (const [what = '', ratio = '', detail = ''] of rows) {
  console.log(`${what.padEnd(widths[0] ?? 0)}  ${ratio.padStart(widths[1] ?? 0)}  ${detail}`)
}
