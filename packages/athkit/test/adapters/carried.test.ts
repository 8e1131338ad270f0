import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono, type MiddlewareHandler } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import { athHono, requireScope } from '../../src/adapters/hono.ts'
import { toNodeListener } from '../../src/adapters/node.ts'
import { createAgent } from '../../src/agent/index.ts'
import { createService } from '../../src/service/index.ts'
import { memory } from '../../src/store/memory.ts'
import { createUser } from '../../src/user/index.ts'
import { party } from '../e2e/shop.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** A service on a real port, with something in front of it; what it echoes came sealed. */
async function echo(...middleware: MiddlewareHandler[]) {
  const [server, agentParty, userParty] = await Promise.all([party(), party(), party()])
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  stops.push(
    () => listener.close(),
    () => listener.closeAllConnections(),
  )
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  const service = createService({
    identity: server,
    origin,
    allowPlaintextOnLoopback: true,
    name: 'echo',
    scopes: { 'echo:say': { description: 'Say it again', skipUserConfirmation: true } },
    users: { find: (did) => (did === userParty.did ? { account: '1' } : undefined) },
    store: memory(),
  })
  const app = new Hono()
  for (const handler of middleware) app.use(handler)
  app.use(athHono(service, app))
  app.put('/echo', requireScope('echo:say'), async (c) => c.body(await c.req.text()))
  listener.on(
    'request',
    toNodeListener((request, { address }) => app.fetch(request, { address })),
  )
  const agent = createAgent({ identity: agentParty, allowPlaintextOnLoopback: true })
  const authorization = await createUser({ identity: userParty }).authorize({
    clientDid: agentParty.did,
    scopes: ['echo:say'],
    audience: server.did,
    expiresInSeconds: 600,
  })
  const session = await agent.connect(origin, { authorization, scopes: ['echo:say'] })
  return async (text: string) => (await session.fetch('/echo', { method: 'PUT', body: text })).text()
}

const sealedOnly =
  (change: (response: Response) => Response | Promise<Response>): MiddlewareHandler =>
  async (c, next) => {
    await next()
    if (c.res.headers.get('content-type') === 'application/ath-sealed') c.res = await change(c.res)
  }

describe('sealed bodies that are carried beside their messages', () => {
  test('arrive whole, short and long', async () => {
    const say = await echo()
    for (const length of [0, 1, 1024, 60_000, 65_536, 70_000, 300_000]) {
      const text = 'x'.repeat(length)
      expect(await say(text), String(length)).toBe(text)
    }
  })

  test('are where middleware looks for them', async () => {
    let seen = 0
    const say = await echo(
      sealedOnly(async (response) => {
        seen = (await response.clone().arrayBuffer()).byteLength
        return response
      }),
      sealedOnly((response) => new Response(response.body, response)),
    )
    expect(await say('hello')).toBe('hello')
    expect(seen).toBeGreaterThan('hello'.length)
  })

  test('can be refused by middleware, which then answers itself', async () => {
    const say = await echo(async (c, next) => {
      if (c.req.path === '/ath/sealed') return c.text('not here', 403)
      return next()
    })
    await expect(say('hello')).rejects.toThrow()
  })
})
