import { type AgentOptions, createAgent } from '../../src/agent/index.ts'
import type { Fetch } from '../../src/client/index.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import { didFromKey } from '../../src/did/did.ts'
import type { Identity } from '../../src/handshake/index.ts'
import { createHandler } from '../../src/http/index.ts'
import {
  atMost,
  checkRestriction,
  createService,
  requireGrant,
  type ServiceEvent,
  type ServiceOptions,
} from '../../src/service/index.ts'
import { memory } from '../../src/store/memory.ts'
import { createUser } from '../../src/user/index.ts'

export const ORIGIN = 'https://shop.example'

export async function party(): Promise<Identity> {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}

/** The seeds' shop, an assistant and a user, each the library's own, with nothing between them but `fetch`. */
export async function shop(
  options: { service?: Partial<ServiceOptions>; agent?: Partial<AgentOptions> } = {},
) {
  const [server, agentParty, userParty] = await Promise.all([party(), party(), party()])
  const events: ServiceEvent[] = []
  const orders: unknown[] = []
  let ahead = 0
  const service = createService({
    identity: server,
    origin: ORIGIN,
    name: 'Shop',
    scopes: {
      'goods:read': 'Search products',
      'order:create': 'Place orders',
      'user:profile': 'Read your profile',
    },
    users: { find: (did) => (did === userParty.did ? { account: 'account-1' } : undefined) },
    store: memory(),
    restrictions: { rate_limit: '100/minute', order_amount_limit: 5000 },
    enforcers: new Map([['order_amount_limit', atMost]]),
    onEvent: (event) => void events.push(event),
    clock: () => Date.now() + ahead,
    ...options.service,
  })
  service.setApplication(async (request) => {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/api/goods') {
      requireGrant(request, 'goods:read')
      return Response.json({ keyword: searchParams.get('keyword') })
    }
    if (pathname === '/api/order') {
      requireGrant(request, 'order:create')
      const order = (await request.json()) as { amount: number }
      checkRestriction(request, 'order_amount_limit', order.amount)
      orders.push(order)
      return Response.json({ order: orders.length }, { status: 201 })
    }
    if (pathname === '/api/events') {
      requireGrant(request, 'goods:read')
      const body = new ReadableStream<string>({
        start(controller) {
          for (let i = 0; i < 3; i++) controller.enqueue(`data: ${i}\n\n`)
          controller.close()
        },
      }).pipeThrough(new TextEncoderStream())
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    }
    if (pathname === '/api/profile') {
      requireGrant(request, 'user:profile')
      return Response.json({})
    }
    return new Response(null, { status: 404 })
  })
  const handler = createHandler(service)
  const sent: string[] = []
  const fetch: Fetch = async (url, init) => {
    init.signal?.throwIfAborted()
    const { redirect: _r, credentials: _c, cache: _k, referrerPolicy: _p, ...rest } = init
    sent.push(`${init.method} ${new URL(url).pathname}`)
    const response = await handler(new Request(url, rest), { address: '192.0.2.1' })
    return response ?? new Response(null, { status: 404 })
  }
  const now = () => Math.floor((Date.now() + ahead) / 1000)
  const user = createUser({ identity: userParty, now })
  const agent = createAgent({ identity: agentParty, fetch, now, ...options.agent })
  const link = user.linkTo({ origin: ORIGIN, serverDid: server.did, fetch })
  const authorize = (more: Partial<Parameters<typeof user.authorize>[0]> = {}) =>
    user.authorize({
      clientDid: agent.did,
      scopes: ['goods:read', 'order:create'],
      expiresInSeconds: 7200,
      audience: server.did,
      ...more,
    })
  /** Seconds. */
  const advance = (seconds: number): void => {
    ahead += seconds * 1000
  }
  return {
    server,
    agentParty,
    service,
    user,
    agent,
    link,
    authorize,
    fetch,
    sent,
    events,
    orders,
    advance,
    now,
  }
}

/** What a service asks nobody for: every scope, where the credential names the server. */
export const nobodyIsAsked = {
  scopes: Object.fromEntries(
    ['goods:read', 'order:create', 'user:profile'].map((name) => [
      name,
      { description: name, skipUserConfirmation: true },
    ]),
  ),
}
