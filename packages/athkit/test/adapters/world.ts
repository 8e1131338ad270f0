import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createAgent } from '../../src/agent/index.ts'
import { atMost, createService, type Service, type ServiceEvent } from '../../src/service/index.ts'
import { memory } from '../../src/store/memory.ts'
import { createUser } from '../../src/user/index.ts'
import { party } from '../e2e/shop.ts'

/** What the routes of every app under test tell the test, and wait for. */
export interface Stage {
  /** Bytes that `POST /upload` has seen so far. */
  uploaded: number
  /** `GET /ticks` sends its second tick when this resolves. */
  readonly released: Promise<void>
  release(): void
  /** `GET /hang` and `POST /slow` have begun; the client of the former is gone; the latter has answered. */
  hanging: number
  closed: number
  answered: number
  orders: number
}

/** The routes that every adapter's app has; `suite.ts` says what each is to do. */
export type MakeApp = (service: Service, stage: Stage) => RequestListener | Promise<RequestListener>

function createStage(): Stage {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  return { uploaded: 0, released, release, hanging: 0, closed: 0, answered: 0, orders: 0 }
}

/** An app on a real port, an agent with a session on it, and raw connections to it. */
export async function open(makeApp: MakeApp) {
  const [server, agentParty, userParty] = await Promise.all([party(), party(), party()])
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const skipped = (description: string) => ({ description, skipUserConfirmation: true })
  const events: ServiceEvent[] = []
  const service = createService({
    identity: server,
    origin,
    allowPlaintextOnLoopback: true,
    name: 'Shop',
    scopes: {
      'goods:read': skipped('Search products'),
      'order:create': skipped('Place orders'),
      'user:profile': skipped('Read your profile'),
    },
    users: { find: (did) => (did === userParty.did ? { account: 'account-1' } : undefined) },
    store: memory(),
    restrictions: { order_amount_limit: 5000 },
    enforcers: new Map([['order_amount_limit', atMost]]),
    streamingRoutes: (_, path) => path === '/upload',
    onEvent: (event) => void events.push(event),
  })
  const stage = createStage()
  listener.on('request', await makeApp(service, stage))
  const agent = createAgent({ identity: agentParty, allowPlaintextOnLoopback: true })
  const authorization = await createUser({ identity: userParty }).authorize({
    clientDid: agentParty.did,
    scopes: ['goods:read', 'order:create'],
    audience: server.did,
    expiresInSeconds: 600,
  })
  const session = await agent.connect(origin, { authorization, scopes: ['goods:read', 'order:create'] })
  const sockets: Socket[] = []
  /** One connection, on which everything written is sent as it is. */
  function raw(): { readonly socket: Socket; readonly received: () => string } {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    sockets.push(socket)
    let text = ''
    socket.on('data', (data) => {
      text += data
    })
    return { socket, received: () => text }
  }
  function stop(): void {
    for (const socket of sockets) socket.destroy()
    listener.close()
    listener.closeAllConnections()
  }
  return { origin, session, stage, events, raw, stop }
}

export type World = Awaited<ReturnType<typeof open>>

export async function until(check: () => boolean, milliseconds = 10_000): Promise<boolean> {
  const end = Date.now() + milliseconds
  while (!check()) {
    if (Date.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return true
}
