/** The server that is measured, in a process of its own: what it costs is its CPU time, whatever the client does beside it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { athHono, requireScope } from 'athkit/adapters/hono'
import { toNodeListener } from 'athkit/adapters/node'
import { generateSigner } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { createHandler } from 'athkit/http'
import { createService } from 'athkit/service'
import { memory } from 'athkit/store/memory'
import { sqlite } from 'athkit/store/sqlite'
import { Hono } from 'hono'
import { verifyDpop } from './dpop.ts'
import { primitives } from './primitives.ts'

const [userDid = '', file = ''] = process.argv.slice(2)
const body = JSON.stringify({ goods: 'x'.repeat(1000) })
const answer = () => new Response(body, { headers: { 'content-type': 'application/json' } })
const answerTo = async (request: Request) => {
  await request.arrayBuffer()
  return answer()
}

const server = createServer()

/** The service without HTTP around it: requests and answers come and go as text, so that its CPU time is not a web server's. */
let handler: ReturnType<typeof createHandler> | undefined

interface Bare {
  readonly id: number
  readonly url: string
  readonly method: string
  readonly body?: string
}

async function answerBare({ id, url, method, body }: Bare): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const request = new Request(url, body === undefined ? { method } : { method, headers, body })
  const response = await handler?.(request, { address: '127.0.0.1' })
  process.send?.({
    id,
    status: response?.status,
    headers: [...(response?.headers ?? [])],
    body: await response?.text(),
  })
}
server.listen(0, '127.0.0.1', async () => {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const signer = await generateSigner()
  const service = createService({
    identity: { did: didFromKey(signer.publicKey), signer },
    origin,
    allowPlaintextOnLoopback: true,
    name: 'bench',
    scopes: { 'goods:read': { description: 'Search products', skipUserConfirmation: true } },
    users: { find: (did) => (did === userDid ? { account: '1' } : undefined) },
    store: file === '' ? memory() : await sqlite(file),
    limits: { exempt: () => true },
  })
  handler = createHandler(service)
  const app = new Hono()
  app.use(athHono(service, app))
  app.put('/plain', (c) => answerTo(c.req.raw))
  app.put('/dpop', async (c) =>
    (await verifyDpop(c.req.raw, `${origin}/dpop`)) ? answer() : new Response(null, { status: 401 }),
  )
  app.on(['PUT', 'POST'], '/sealed', requireScope('goods:read'), (c) => answerTo(c.req.raw))
  server.on(
    'request',
    toNodeListener((request, { address }) => app.fetch(request, { address })),
  )
  process.send?.({ origin, serverDid: didFromKey(signer.publicKey) })
})

process.on('message', async (question: string | Bare) => {
  if (typeof question === 'object') await answerBare(question)
  if (question === 'cpu') process.send?.(process.cpuUsage())
  if (question === 'primitives') process.send?.(await primitives())
})
process.on('disconnect', () => process.exit(0))
