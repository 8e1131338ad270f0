import { createAgent } from 'athkit/agent'
import { CONCURRENCY, fetchWith, send } from './connections.ts'
import { dpopHeaders } from './dpop.ts'
import { agentParty, authorizationFor } from './parties.ts'
import { type Server, serverCpu } from './server-process.ts'
import { median, row } from './table.ts'

const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 500)
/** Short rounds, one kind of request after the other, so that whatever else this machine does meets all of them. */
const ROUNDS = 12
const WARM_UPS = 8
/** 1 KiB of JSON. */
const KIB = JSON.stringify({ context: 'x'.repeat(1010) })
const JSON_TYPE = { 'content-type': 'application/json' }

interface Load {
  readonly method: 'POST' | 'PUT'
  readonly path: string
  readonly headers?: (n: number) => Record<string, string>
  readonly body: (n: number) => Uint8Array
}

/** Sends everything, so many at a time. @returns requests per second, and microseconds of the server's CPU for each */
async function load(server: Server, count: number, { method, path, headers, body }: Load) {
  let next = 0
  const begin = performance.now()
  const cpu = await serverCpu(server, async () => {
    const worker = async () => {
      for (let n = next++; n < count; n = next++) {
        const { status } = await send(server.origin + path, method, headers?.(n) ?? {}, body(n), server.ca)
        if (status !== 200) throw new Error(`${path} answered ${status}`)
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
  const fetch = fetchWith(server.ca)
  const agent = createAgent({
    identity: agentParty,
    allowPlaintextOnLoopback: true,
    sleep: () => Promise.reject(new Error('kept')),
    fetch: async (url, init) => {
      if (!keep || !url.endsWith('/ath/sealed')) return fetch(url, init)
      kept.push(new Uint8Array(await new Response(init.body ?? null).arrayBuffer()))
      throw new Error('kept')
    },
  })
  const session = await agent.connect(server.origin, {
    authorization: await authorizationFor(server.serverDid),
    scopes: ['goods:read'],
  })
  const request = () => session.fetch('/sealed', { method: 'PUT', body: KIB, headers: JSON_TYPE })
  await (await request()).arrayBuffer()
  keep = true
  while (kept.length < count) await request().catch(() => undefined)
  return kept.slice(0, count)
}

/** Sealed requests against the same app unsealed, and against the same app behind a Bearer token with a DPoP proof. */
export async function compareSealed(server: Server, name: string): Promise<void> {
  const plainBody = new TextEncoder().encode(KIB)
  const [rates, cpus, proofs] = [[] as number[], [] as number[], [] as number[]]
  for (let i = 0; i < WARM_UPS + ROUNDS; i++) {
    const sealed = await sealedBodies(server, REQUESTS)
    const dpop = await dpopHeaders(`${server.origin}/dpop`, REQUESTS / 4)
    const plain = await load(server, REQUESTS, {
      method: 'PUT',
      path: '/plain',
      headers: () => JSON_TYPE,
      body: () => plainBody,
    })
    const ours = await load(server, REQUESTS, {
      method: 'POST',
      path: '/ath/sealed',
      headers: () => ({ 'content-type': 'application/ath-sealed' }),
      body: (n) => sealed[n] as Uint8Array,
    })
    const proved = await load(server, dpop.length, {
      method: 'PUT',
      path: '/dpop',
      headers: (n) => ({ ...JSON_TYPE, ...dpop[n] }),
      body: () => plainBody,
    })
    if (i < WARM_UPS) continue
    rates.push(ours.perSecond / plain.perSecond)
    cpus.push(ours.cpu / plain.cpu)
    proofs.push(ours.perSecond / proved.perSecond)
  }
  const cpu = `server CPU per request × ${median(cpus).toFixed(2)}, ${CONCURRENCY} at a time`
  row(`sealed / unsealed, requests per second, ${name}`, median(rates).toFixed(2), cpu)
  row(`sealed / Bearer with DPoP proof by jose, ${name}`, median(proofs).toFixed(2), '')
}
