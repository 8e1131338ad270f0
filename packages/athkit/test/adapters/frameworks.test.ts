import type { IncomingMessage } from 'node:http'
import express from 'express'
import Fastify from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { athExpress, requireScope } from '../../src/adapters/express.ts'
import * as withFastify from '../../src/adapters/fastify.ts'
import { toFetchHandler } from '../../src/adapters/inner-server.ts'
import { type MakeApp, open, type World } from './world.ts'

const worlds: World[] = []
afterEach(() => {
  for (const world of worlds.splice(0)) world.stop()
})

async function opened(makeApp: MakeApp): Promise<World> {
  const world = await open(makeApp)
  worlds.push(world)
  return world
}

describe('parsers of bodies that an app has already', () => {
  test('Express, before ATH: what they have eaten is told to the operator, whatever it was', async () => {
    const heard: string[] = []
    let isHungry = false
    const parser = express.json()
    const world = await opened((service) => {
      const app = express()
      app.use((request, response, next) => (isHungry ? parser(request, response, next) : next()))
      app.use(athExpress(service, app))
      app.use(((error, _request, response, _next) => {
        heard.push(String(error))
        response.status(500).end()
      }) satisfies express.ErrorRequestHandler)
      return app
    })
    isHungry = true
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: '{}' }
    expect((await fetch(`${world.origin}/ath/handshake`, init)).status).toBe(500)
    expect(heard[0]).toMatch(/app\.use\(athExpress\(…\)\) must come before/)
  })

  test('Express, before ATH but for another type: it never sees a body of ATH’s', async () => {
    const world = await opened((service) => {
      const app = express()
      app.use(express.urlencoded(), athExpress(service, app))
      app.get('/goods', requireScope('goods:read'), (_, response) => void response.send('goods'))
      return app
    })
    expect(await (await world.session.fetch('/goods')).text()).toBe('goods')
  })

  test('Fastify: parsers of the app do not reach the routes of the plugin, whichever came first', async () => {
    const eaten: (string | undefined)[] = []
    const world = await opened(async (service) => {
      const app = Fastify()
      const eat = (
        request: { headers: IncomingMessage['headers'] },
        body: Buffer,
        done: (e: null, b: Buffer) => void,
      ) => {
        eaten.push(request.headers['content-type'])
        done(null, body)
      }
      app.addContentTypeParser(['application/ath-sealed', '*'], { parseAs: 'buffer' }, eat)
      await app.register(withFastify.athFastify, { service })
      app.put('/echo', { onRequest: withFastify.requireScope('goods:read') }, async ({ body }) => body)
      await app.ready()
      return (incoming, outgoing) => app.routing(incoming, outgoing)
    })
    const init = { method: 'PUT', headers: { 'content-type': 'text/x-own' }, body: 'x'.repeat(100_000) }
    expect(await (await world.session.fetch('/echo', init)).text()).toBe(init.body)
    expect(eaten).toEqual(['text/x-own'])
  })
})

describe('the address of a caller is what the framework’s trusted proxies say (ATH-6.4.3)', () => {
  const post = (world: World) =>
    fetch(`${world.origin}/ath/handshake`, { method: 'POST', headers: { 'x-forwarded-for': '203.0.113.9' } })
  const addressOf = ({ events }: World) => {
    const refused = events.find(({ type }) => type === 'refused')
    return refused?.type === 'refused' ? refused.address : undefined
  }

  test.each([
    [true, '203.0.113.9'],
    [false, '127.0.0.1'],
  ])('Express with trust proxy %s: %s', async (trusted, address) => {
    const world = await opened((service) => {
      const app = express().set('trust proxy', trusted)
      return app.use(athExpress(service, app))
    })
    expect((await post(world)).status).toBe(415)
    expect(addressOf(world)).toBe(address)
  })

  test.each([
    [true, '203.0.113.9'],
    [false, '127.0.0.1'],
  ])('Fastify with trustProxy %s: %s', async (trustProxy, address) => {
    const world = await opened(async (service) => {
      const app = Fastify({ trustProxy })
      await app.register(withFastify.athFastify, { service })
      await app.ready()
      return (incoming, outgoing) => app.routing(incoming, outgoing)
    })
    expect((await post(world)).status).toBe(415)
    expect(addressOf(world)).toBe(address)
  })
})

describe('a listener as a fetch-like function', () => {
  test('shows it the request as a server would: its host, its scheme, many headers', async () => {
    const call = toFetchHandler(({ method, url, headers, socket }, outgoing) => {
      const { encrypted } = socket as { encrypted?: boolean }
      outgoing.setHeader('set-cookie', ['a=1', 'b=2'])
      outgoing.end(JSON.stringify([method, url, headers.host, headers['x-long']?.length, encrypted]))
    })
    const headers = { 'x-long': 'x'.repeat(60_000) }
    const response = await call(new Request('https://shop.example/a?b=%20c', { method: 'DELETE', headers }))
    expect(await response.json()).toEqual(['DELETE', '/a?b=%20c', 'shop.example', 60_000, true])
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  test('fails where the listener breaks off before it has answered', async () => {
    const call = toFetchHandler((_, outgoing) => void outgoing.destroy())
    await expect(call(new Request('https://shop.example/'))).rejects.toThrow()
  })
})
