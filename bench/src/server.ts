/** The server that is measured, in a process of its own: what it costs is its CPU time, whatever the client does beside it. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { makeLocalCertificates } from '@athkit-examples/shop/certificates'
import { athHono, requireScope } from 'athkit/adapters/hono'
import { toNodeListener } from 'athkit/adapters/node'
import { signerFromPkcs8 } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { createHandler } from 'athkit/http'
import { createService } from 'athkit/service'
import { Hono } from 'hono'
import { verifyDpop } from './dpop.ts'
import { party, userParty } from './parties.ts'
import { createPrimitives } from './primitives.ts'
import { openStore } from './stores.ts'

/** What the server can be asked. */
export type Question = 'cpu' | 'memory' | 'primitives' | 'handler cpu'

/** With the key and the origin of another it is a second node of that one's service. */
const [userDid = '', transport = 'TLS', store = 'memory', key8, audience] = process.argv.slice(2)

const body = JSON.stringify({ goods: 'x'.repeat(1000) })
const answer = () => new Response(body, { headers: { 'content-type': 'application/json' } })
const answerTo = async (request: Request) => {
  await request.arrayBuffer()
  return answer()
}

const { ca, cert, key } = await makeLocalCertificates()
const server =
  transport === 'TLS' ? https.createServer({ cert, key, minVersion: 'TLSv1.3' }) : http.createServer()
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const origin = `${transport === 'TLS' ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`

const signer = key8 === undefined ? undefined : await signerFromPkcs8(key8)
const identity = signer === undefined ? await party() : { did: didFromKey(signer.publicKey), signer }
const service = createService({
  identity,
  origins: audience === undefined ? [origin] : [audience, origin],
  allowPlaintextOnLoopback: transport === 'plain',
  name: 'bench',
  scopes: { 'goods:read': { description: 'Search products', skipUserConfirmation: true } },
  users: {
    find: (did) => (did === userDid || did === userParty.did ? { account: '1' } : undefined),
  },
  store: await openStore(store),
  limits: { exempt: () => true },
})
const app = new Hono()
app.use(athHono(service, app))
app.put('/plain', (c) => answerTo(c.req.raw))
app.put('/dpop', async (c) =>
  (await verifyDpop(c.req.raw, `${origin}/dpop`)) ? answer() : new Response(null, { status: 401 }),
)
app.put('/sealed', requireScope('goods:read'), (c) => answerTo(c.req.raw))
const handle = createHandler(service)
const listener = toNodeListener(
  async (request, caller) => (await handle(request, caller)) ?? app.fetch(request, caller),
  { service },
)
/** Microseconds of CPU while messages of handshakes are handled; it is right while they come one at a time. */
let spent = 0
server.on('request', (incoming, outgoing) => {
  // To ask for the CPU time costs some: of sealed and unsealed requests nothing is asked.
  if (incoming.url?.startsWith(service.endpoints.handshake_endpoint) === true) measure(incoming, outgoing)
  listener(incoming, outgoing)
})

/** From the moment a message is there to the moment its answer is: what is between is ATH's, and what is outside HTTP's and TLS's. */
function measure(incoming: IncomingMessage, outgoing: ServerResponse): void {
  let before: NodeJS.CpuUsage
  incoming.once('end', () => {
    before = process.cpuUsage()
  })
  const { writeHead } = outgoing
  outgoing.writeHead = (...given: unknown[]) => {
    const { user, system } = process.cpuUsage(before)
    spent += user + system
    return writeHead.apply(outgoing, given as Parameters<typeof writeHead>)
  }
}

const answers: Record<Question, () => unknown> = {
  cpu: () => process.cpuUsage(),
  memory: () => process.memoryUsage().rss,
  primitives: await createPrimitives(),
  'handler cpu': () => spent,
}
process.on('message', async (question: Question) => process.send?.(await answers[question]()))
process.on('disconnect', () => process.exit(0))
process.send?.({ origin, serverDid: identity.did, ca })
