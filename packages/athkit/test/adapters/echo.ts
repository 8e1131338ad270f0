import { createServer, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono, type MiddlewareHandler } from 'hono'
import { afterEach } from 'vitest'
import { athHono, requireScope } from '../../src/adapters/hono.ts'
import { type NodeListenerOptions, toNodeListener } from '../../src/adapters/node.ts'
import { createAgent } from '../../src/agent/index.ts'
import { createService, type ServiceEvent } from '../../src/service/index.ts'
import { memory } from '../../src/store/memory.ts'
import { createUser } from '../../src/user/index.ts'
import { party } from '../e2e/shop.ts'

/** Called behind each test. */
export const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

interface Serving extends Pick<NodeListenerOptions, 'trustedProxies'> {
  readonly direct: boolean
  readonly http?: ServerOptions
  /** In front of ATH. */
  readonly middleware?: readonly MiddlewareHandler[]
  readonly server?: Awaited<ReturnType<typeof party>>
  /** Called by whoever gives it; without it, behind the test. */
  readonly stops?: (() => void)[]
}

/** A service on a real port, with and without its messages and sealed requests going to it as they come. */
export async function served(serving: Serving) {
  const { direct, http = {}, middleware = [], stops: own = stops, trustedProxies = [] } = serving
  const [agentParty, userParty] = await Promise.all([party(), party()])
  const { server = await party() } = serving
  const listener = createServer(http)
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  own.push(
    () => listener.close(),
    () => listener.closeAllConnections(),
  )
  const { port } = listener.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const events: ServiceEvent[] = []
  const service = createService({
    identity: server,
    origin,
    allowPlaintextOnLoopback: true,
    name: 'echo',
    scopes: { 'echo:say': { description: 'Say it again', skipUserConfirmation: true } },
    users: { find: (did) => (did === userParty.did ? { account: '1' } : undefined) },
    store: memory(),
    onEvent: (event) => void events.push(event),
  })
  const inFront: string[] = []
  const aborted: string[] = []
  const app = new Hono()
  app.use(async (c, next) => {
    inFront.push(`${c.req.method} ${c.req.path}`)
    await next()
  })
  for (const handler of middleware) app.use(handler)
  app.use(athHono(service, app))
  app.put('/echo', requireScope('echo:say'), async (c) => c.body(await c.req.text()))
  app.get('/ticks', requireScope('echo:say'), () => {
    const ticks = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const tick of ['one', 'two']) controller.enqueue(new TextEncoder().encode(`data: ${tick}\n\n`))
        setTimeout(() => controller.close(), 5)
      },
    })
    return new Response(ticks, { headers: { 'content-type': 'text/event-stream' } })
  })
  app.get('/slow', requireScope('echo:say'), (c) => {
    const { signal } = c.req.raw
    return new Promise<Response>((resolve) => {
      signal.addEventListener('abort', () => {
        aborted.push('/slow')
        resolve(c.text('too late'))
      })
    })
  })
  listener.on(
    'request',
    toNodeListener((request, { address }) => app.fetch(request, { address }), {
      trustedProxies,
      ...(direct ? { service } : {}),
    }),
  )
  const answered: unknown[] = []
  const agent = createAgent({
    identity: agentParty,
    allowPlaintextOnLoopback: true,
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      const { date: _, ...headers } = Object.fromEntries(response.headers)
      if (String(url).endsWith('/ath/sealed')) answered.push({ status: response.status, headers })
      return response
    },
  })
  const authorization = await createUser({ identity: userParty }).authorize({
    clientDid: agentParty.did,
    scopes: ['echo:say'],
    audience: server.did,
    expiresInSeconds: 600,
  })
  const session = () => agent.connect(origin, { authorization, scopes: ['echo:say'] })
  return { port, service, events, inFront, aborted, answered, session }
}
