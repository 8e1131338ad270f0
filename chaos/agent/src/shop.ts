/** The shop at the other end: every order is on its list as often as it was placed. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeListener } from 'athkit/adapters/node'
import { createHandler } from 'athkit/http'
import { createService, requireGrant, type Service } from 'athkit/service'
import { memory } from 'athkit/store/memory'
import { type Party, party } from './party.ts'

export const SCOPES = ['goods:read', 'order:create'] as const
export const EVENTS = 5

export interface Shop {
  readonly port: number
  readonly origin: string
  readonly identity: Party
  readonly orders: readonly string[]
  stop(): void
}

export interface ShopOptions {
  /** Where agents dial it; its own port without it. */
  readonly origin?: string
  readonly userDid: string
  readonly asks: boolean
}

export async function startShop({ origin: given, userDid, asks }: ShopOptions): Promise<Shop> {
  const orders: string[] = []
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const origin = given ?? `http://127.0.0.1:${port}`
  const identity = await party()
  const service = createService({
    identity,
    origin,
    allowPlaintextOnLoopback: true,
    name: 'Shop',
    scopes: Object.fromEntries(
      SCOPES.map((scope) => [scope, { description: scope, skipUserConfirmation: !asks }]),
    ),
    users: { find: (did) => (did === userDid ? { account: '1' } : undefined) },
    store: memory(),
    limits: { exempt: () => true, waiting: 1000 },
    onEvent: (event) => {
      if (event.type === 'failed') throw event.cause
    },
  })
  service.setApplication((request) => answer(request, orders))
  const handle = createHandler(service)
  server.on('request', toNodeListener(handle))
  return {
    port,
    origin,
    identity,
    orders,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

type Application = Parameters<Service['setApplication']>[0]

const answer: (request: Parameters<Application>[0], orders: string[]) => Promise<Response> = async (
  request,
  orders,
) => {
  const { pathname, searchParams } = new URL(request.url)
  if (pathname === '/api/order') {
    requireGrant(request, 'order:create')
    const { ref } = (await request.json()) as { ref: string }
    orders.push(ref)
    await pause(2)
    return Response.json({ ref }, { status: 201 })
  }
  requireGrant(request, 'goods:read')
  if (pathname === '/api/goods') return Response.json({ keyword: searchParams.get('keyword') })
  if (pathname === '/api/events')
    return new Response(events(), { headers: { 'content-type': 'text/event-stream' } })
  return new Response(null, { status: 404 })
}

function events(): ReadableStream<Uint8Array> {
  let sent = 0
  return new ReadableStream({
    async pull(controller) {
      await pause(1)
      if (sent === EVENTS) return controller.close()
      controller.enqueue(new TextEncoder().encode(`data: ${sent++}\n\n`))
    },
  })
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
