import { createAgent } from 'athkit/agent'
import type { Handler } from 'athkit/http'
import { agentParty, authorizationFor } from './parties.ts'

/** Handshakes before the clock runs: a server is not measured while it is still being compiled. */
const WARM_UP = 1000

/**
 * What handshakes cost the service, without a web server around it: the agent is in the same process and calls the handler, and
 * the clock of the CPU runs only while the handler does.
 *
 * @returns microseconds of CPU for one handshake, discovery included
 */
export async function handshakeCost(
  handler: Handler,
  origin: string,
  serverDid: string,
  count: number,
): Promise<number> {
  let spent = 0
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const request = new Request(url, init)
    const before = process.cpuUsage()
    const response = await handler(request, { address: '127.0.0.1' })
    const { user, system } = process.cpuUsage(before)
    spent += user + system
    return response ?? new Response(null, { status: 404 })
  }
  const agent = createAgent({ identity: agentParty, fetch, allowPlaintextOnLoopback: true })
  const authorization = await authorizationFor(serverDid)
  const once = () => agent.connect(origin, { authorization, scopes: ['goods:read'] })
  for (let i = 0; i < WARM_UP; i++) await once()
  spent = 0
  for (let i = 0; i < count; i++) await once()
  return spent / count
}
