import { CONCURRENCY } from './connections.ts'
import { dpopHeaders } from './dpop.ts'
import { JSON_TYPE, KIB, keptRequests } from './kept-requests.ts'
import { load, loadSealed } from './load.ts'
import { agentParty } from './parties.ts'
import type { Server } from './server-process.ts'
import { median, row } from './table.ts'

const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 500)
/** Short rounds, one kind of request after the other, so that whatever else this machine does meets all of them. */
const ROUNDS = 12
const WARM_UPS = 8

/** Sealed requests against the same app unsealed, and against the same app behind a Bearer token with a DPoP proof. */
export async function compareSealed(server: Server, name: string): Promise<void> {
  const sealedRequests = await keptRequests(server, agentParty)
  const plainBody = new TextEncoder().encode(KIB)
  const [rates, cpus, proofs] = [[] as number[], [] as number[], [] as number[]]
  for (let i = 0; i < WARM_UPS + ROUNDS; i++) {
    const sealed = await sealedRequests(REQUESTS)
    const dpop = await dpopHeaders(`${server.origin}/dpop`, REQUESTS / 4)
    const plain = await load(server, REQUESTS, {
      method: 'PUT',
      path: '/plain',
      headers: () => JSON_TYPE,
      body: () => plainBody,
    })
    const ours = await loadSealed(server, sealed)
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
