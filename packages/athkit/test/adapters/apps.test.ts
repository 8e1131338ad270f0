import { execFileSync } from 'node:child_process'
import type { IncomingMessage, RequestListener } from 'node:http'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { test } from 'vitest'
import * as withExpress from '../../src/adapters/express.ts'
import * as withFastify from '../../src/adapters/fastify.ts'
import { athHono, enforce, requireScope } from '../../src/adapters/hono.ts'
import { toNodeListener } from '../../src/adapters/node.ts'
import { HandshakeError } from '../../src/errors.ts'
import { createHandler } from '../../src/http/index.ts'
import {
  checkRestriction,
  grantOf,
  refusalResponse,
  requireGrant,
  type Service,
} from '../../src/service/index.ts'
import { adapterSuite } from './suite.ts'
import type { Stage } from './world.ts'

const tick = (n: number) => `data: ${n}\n\n`

async function* ticks({ released }: Stage): AsyncGenerator<string> {
  yield tick(0)
  await released
  yield tick(1)
}

async function* broken(): AsyncGenerator<string> {
  yield 'half'
  await new Promise((resolve) => setTimeout(resolve, 20))
  throw new Error('broken')
}

async function count(body: AsyncIterable<Uint8Array>, stage: Stage): Promise<string> {
  for await (const chunk of body) stage.uploaded += chunk.length
  return String(stage.uploaded)
}

const streamOf = (parts: AsyncGenerator<string>) =>
  Readable.toWeb(Readable.from(parts, { objectMode: false })) as ReadableStream<Uint8Array>

const slowly = async (stage: Stage): Promise<string> => {
  stage.answered++
  await new Promise((resolve) => setTimeout(resolve, 50))
  return `done ${stage.answered}`
}

function hono(service: Service, stage: Stage): RequestListener {
  const app = new Hono()
  app.use(athHono(service, app))
  app.get('/goods', requireScope('goods:read'), (c) => c.json({ keyword: c.req.query('keyword') }))
  app.get('/profile', requireScope('user:profile'), (c) => c.json({}))
  app.post(
    '/order',
    requireScope('order:create'),
    enforce('order_amount_limit', async (_, c) => (await c.req.json()).amount),
    async (c) => {
      stage.orders++
      return c.json({ ...(await c.req.json()), account: grantOf(c.req.raw)?.account }, 201)
    },
  )
  app.put('/echo', requireScope('goods:read'), async (c) => c.body(await c.req.text()))
  app.get('/nothing-to-say', requireScope('goods:read'), (c) => c.body(null, 204))
  app.post('/upload', requireScope('goods:read'), async (c) =>
    c.text(await count(c.req.raw.body as ReadableStream<Uint8Array>, stage)),
  )
  const eventStream = { 'content-type': 'text/event-stream' }
  app.get('/ticks', requireScope('goods:read'), (c) => c.body(streamOf(ticks(stage)), 200, eventStream))
  app.get('/broken', requireScope('goods:read'), (c) => c.body(streamOf(broken()), 200, eventStream))
  app.get('/hang', requireScope('goods:read'), async (c) => {
    stage.hanging++
    await new Promise<void>((resolve) => c.req.raw.signal.addEventListener('abort', () => resolve()))
    stage.closed++
    return c.text('')
  })
  app.post('/slow', requireScope('goods:read'), async (c) => c.text(await slowly(stage)))
  app.get('/plain', (c) => c.text('plain'))
  return toNodeListener((request, { address }) => app.fetch(request, { address }))
}

/** No framework: what `createHandler` does not answer is the app's. */
function node(service: Service, stage: Stage): RequestListener {
  const handle = createHandler(service)
  const eventStream = { headers: { 'content-type': 'text/event-stream' } }
  async function route(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/plain') return new Response('plain')
    switch (pathname) {
      case '/goods':
        requireGrant(request, 'goods:read')
        return Response.json({ keyword: searchParams.get('keyword') })
      case '/profile':
        requireGrant(request, 'user:profile')
        return Response.json({})
      case '/order': {
        const { account } = requireGrant(request, 'order:create')
        const order = await request.json()
        checkRestriction(request, 'order_amount_limit', order.amount)
        stage.orders++
        return Response.json({ ...order, account }, { status: 201 })
      }
      case '/echo':
        return new Response(await request.text())
      case '/nothing-to-say':
        return new Response(null, { status: 204 })
      case '/upload':
        return new Response(await count(request.body as ReadableStream<Uint8Array>, stage))
      case '/ticks':
        return new Response(streamOf(ticks(stage)), eventStream)
      case '/broken':
        return new Response(streamOf(broken()), eventStream)
      case '/slow':
        return new Response(await slowly(stage))
      case '/hang':
        stage.hanging++
        await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()))
        stage.closed++
        return new Response()
      default:
        return new Response(null, { status: 404 })
    }
  }
  async function guarded(request: Request): Promise<Response> {
    try {
      return await route(request)
    } catch (error) {
      if (error instanceof HandshakeError) return refusalResponse(error, Math.floor(Date.now() / 1000))
      throw error
    }
  }
  service.setApplication(guarded)
  return toNodeListener(async (request, info) => (await handle(request, info)) ?? guarded(request))
}

function expressApp(service: Service, stage: Stage): RequestListener {
  const { athExpress, enforce, grantOf, requireScope } = withExpress
  const app = express()
  app.use(athExpress(service, app))
  app.use(express.json(), express.text({ limit: '1mb' }))
  app.get('/goods', requireScope('goods:read'), (req, res) => void res.json({ keyword: req.query.keyword }))
  app.get('/profile', requireScope('user:profile'), (_, res) => void res.json({}))
  app.post(
    '/order',
    requireScope('order:create'),
    enforce('order_amount_limit', (req: express.Request) => req.body.amount),
    (req, res) => {
      stage.orders++
      res.status(201).json({ ...req.body, account: grantOf(req)?.account })
    },
  )
  app.put('/echo', requireScope('goods:read'), (req, res) => void res.send(req.body ?? ''))
  app.get('/nothing-to-say', requireScope('goods:read'), (_, res) => void res.status(204).end())
  app.post('/upload', requireScope('goods:read'), async (req, res) => void res.send(await count(req, stage)))
  app.get('/ticks', requireScope('goods:read'), async (_, res) => {
    res.type('text/event-stream').flushHeaders()
    for await (const part of ticks(stage)) res.write(part)
    res.end()
  })
  app.get('/broken', requireScope('goods:read'), async (_, res) => {
    try {
      for await (const part of broken()) res.write(part)
    } catch {
      res.destroy()
    }
  })
  app.get('/hang', requireScope('goods:read'), (_, res) => {
    stage.hanging++
    res.on('close', () => stage.closed++)
  })
  app.post('/slow', requireScope('goods:read'), async (_, res) => void res.send(await slowly(stage)))
  app.get('/plain', (_, res) => void res.send('plain'))
  return app
}

async function fastify(service: Service, stage: Stage): Promise<RequestListener> {
  const { athFastify, enforce, grantOf, requireScope } = withFastify
  const app = Fastify()
  await app.register(athFastify, { service })
  app.addContentTypeParser('application/octet-stream', (_request, payload: IncomingMessage, done) =>
    done(null, payload),
  )
  const goods = { onRequest: requireScope('goods:read') }
  app.get('/goods', goods, async (request) => request.query)
  app.get('/profile', { onRequest: requireScope('user:profile') }, async () => ({}))
  app.post(
    '/order',
    {
      onRequest: requireScope('order:create'),
      preHandler: enforce('order_amount_limit', ({ body }) => (body as { amount: number }).amount),
    },
    async (request, reply) => {
      stage.orders++
      return reply.code(201).send({ ...(request.body as object), account: grantOf(request)?.account })
    },
  )
  app.put('/echo', goods, async (request) => request.body ?? '')
  app.get('/nothing-to-say', goods, async (_, reply) => reply.code(204).send())
  app.post('/upload', goods, async (request) => count(request.body as IncomingMessage, stage))
  app.get('/ticks', goods, async (_, reply) => reply.type('text/event-stream').send(streamOf(ticks(stage))))
  app.get('/broken', goods, async (_, reply) => reply.type('text/event-stream').send(streamOf(broken())))
  app.get('/hang', goods, (_, reply) => {
    stage.hanging++
    reply.raw.on('close', () => stage.closed++)
  })
  app.post('/slow', goods, async () => slowly(stage))
  app.get('/plain', async () => 'plain')
  await app.ready()
  return (incoming, outgoing) => app.routing(incoming, outgoing)
}

adapterSuite('Node’s own server', node)
adapterSuite('Hono', hono)
adapterSuite('Express', expressApp)
adapterSuite('Fastify', fastify)

test('the apps above fit the frameworks’ own types', () => {
  const here = dirname(fileURLToPath(import.meta.url))
  const tsc = join(here, '../../../../node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', here], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 60_000,
  })
}, 60_000)
