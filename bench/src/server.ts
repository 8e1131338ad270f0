/** The server that is measured, in a process of its own: what it costs is its CPU time, whatever the client does beside it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { athHono, requireScope } from 'athkit/adapters/hono'
import { toNodeListener } from 'athkit/adapters/node'
import { generateSigner } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
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
  const app = new Hono()
  app.use(athHono(service, app))
  app.post('/plain', (c) => answerTo(c.req.raw))
  app.post('/dpop', async (c) =>
    (await verifyDpop(c.req.raw, `${origin}/dpop`)) ? answer() : new Response(null, { status: 401 }),
  )
  app.post('/sealed', requireScope('goods:read'), (c) => answerTo(c.req.raw))
  server.on(
    'request',
    toNodeListener((request, { address }) => app.fetch(request, { address })),
  )
  process.send?.({ origin, serverDid: didFromKey(signer.publicKey) })
})

process.on('message', async (question) => {
  if (question === 'cpu') process.send?.(process.cpuUsage())
  if (question === 'primitives') process.send?.(await primitives())
})
process.on('disconnect', () => process.exit(0))
