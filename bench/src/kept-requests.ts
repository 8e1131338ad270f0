import { createAgent } from 'athkit/agent'
import { fetchWith } from './connections.ts'
import { authorizationFor, type Party } from './parties.ts'
import type { Server } from './server-process.ts'

/** 1 KiB of JSON. */
export const KIB = JSON.stringify({ context: 'x'.repeat(1010) })
export const JSON_TYPE = { 'content-type': 'application/json' }

/**
 * A session whose requests are sealed by the agent as ever, and kept back instead of being sent.
 *
 * @returns what makes so many of them; each is good once
 */
export async function keptRequests(
  server: Server,
  identity: Party,
): Promise<(count: number) => Promise<Uint8Array[]>> {
  let kept: Uint8Array[] = []
  let keep = false
  const fetch = fetchWith(server.ca)
  const agent = createAgent({
    identity,
    allowPlaintextOnLoopback: server.origin.startsWith('http:'),
    sleep: () => Promise.reject(new Error('kept')),
    fetch: async (url, init) => {
      if (!keep || !url.endsWith('/ath/sealed')) return fetch(url, init)
      kept.push(new Uint8Array(await new Response(init.body ?? null).arrayBuffer()))
      throw new Error('kept')
    },
  })
  const session = await agent.connect(server.origin, {
    authorization: await authorizationFor(server.serverDid, identity.did),
    scopes: ['goods:read'],
  })
  const request = () => session.fetch('/sealed', { method: 'PUT', body: KIB, headers: JSON_TYPE })
  await (await request()).arrayBuffer()
  return async (count) => {
    keep = true
    kept = []
    while (kept.length < count) await request().catch(() => undefined)
    keep = false
    return kept
  }
}
