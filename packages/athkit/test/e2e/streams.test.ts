import { createHash } from 'node:crypto'
import { mkdtempSync, openAsBlob, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'
import { type AgentOptions, createAgent } from '../../src/agent/index.ts'
import { createHandler } from '../../src/http/index.ts'
import { shopOnSocket } from './on-socket.ts'
import { nobodyIsAsked, shop } from './shop.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

const scopes = ['goods:read', 'order:create']
const silent = { ...nobodyIsAsked, restrictions: {} }

async function connected(
  application: (request: Request) => Promise<Response> | Response,
  options: Partial<AgentOptions> = {},
) {
  const made = await shopOnSocket({
    service: { ...silent, streamingRoutes: (_: string, path: string) => path === '/upload' },
  })
  stops.push(made.stop)
  made.service.setApplication(async (request) => application(request))
  const agent = createAgent({ identity: made.agentParty, allowPlaintextOnLoopback: true, ...options })
  const session = await agent.connect(made.origin, { authorization: await made.authorize(), scopes })
  return { ...made, session }
}

/** Something that one side waits for and the other brings about. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

const bytes = (text: string) => new TextEncoder().encode(text)

describe('over a socket', () => {
  test('events are decrypted as they come: each is sent only when the one before was read', async () => {
    const gates = [gate(), gate(), gate()]
    const { session } = await connected(() => {
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          for (const [number, { opened }] of gates.entries()) {
            controller.enqueue(bytes(`data: ${number}\n\n`))
            await opened
          }
          controller.close()
        },
      })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    })
    const response = await session.fetch('/events')
    const texts: string[] = []
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      texts.push(new TextDecoder().decode(chunk))
      gates[texts.length - 1]?.open()
    }
    expect(texts).toEqual(['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n'])
  })

  test('an upload streams: each part is sent only when the one before has arrived', async () => {
    const gates = [gate(), gate(), gate()]
    const { session } = await connected(async (request) => {
      let text = ''
      for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
        text += new TextDecoder().decode(chunk)
        for (const [number, { open }] of gates.entries()) if (text.includes(`part ${number}`)) open()
      }
      return new Response(text)
    })
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        for (const [number, { opened }] of gates.entries()) {
          controller.enqueue(bytes(`part ${number} `))
          await opened
        }
        controller.close()
      },
    })
    const response = await session.fetch('/upload', { method: 'POST', body })
    expect(await response.text()).toBe('part 0 part 1 part 2 ')
  })

  test('a file of 20 MB is sent as it is read, and again when its answer is lost', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'athkit-upload-'))
    stops.push(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'file')
    writeFileSync(file, Buffer.alloc(20_000_000, 'athkit '))
    let lost = 1
    const { session } = await connected(
      async (request) => {
        const hash = createHash('sha256')
        for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) hash.update(chunk)
        return new Response(hash.digest('hex'))
      },
      {
        sleep: async () => undefined,
        fetch: async (url, init) => {
          const response = await fetch(url, init)
          if (!url.endsWith('/ath/sealed') || lost-- <= 0) return response
          await response.body?.cancel()
          throw new TypeError('connection reset')
        },
      },
    )
    const sent = createHash('sha256').update(readFileSync(file)).digest('hex')
    const response = await session.fetch('/upload', { method: 'PUT', body: await openAsBlob(file) })
    expect(await response.text()).toBe(sent)
    expect(lost).toBeLessThan(0)
  })

  test('an upload that the caller gives up ends, and the session goes on', async () => {
    const { session } = await connected(async (request) => {
      if (request.method === 'POST') await request.arrayBuffer()
      return new Response('done')
    })
    const controller = new AbortController()
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => stream.enqueue(bytes('part')),
      pull: () => new Promise(() => undefined),
    })
    const upload = session.fetch('/upload', { method: 'POST', body, signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 30)
    await expect(upload).rejects.toThrow('enough')
    expect(await (await session.fetch('/')).text()).toBe('done')
  })

  test('keys are changed while a stream is open: it goes on', async () => {
    const [first, second] = [gate(), gate()]
    const { session } = await connected((request) => {
      if (!request.url.endsWith('/events')) return new Response('done')
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          controller.enqueue(bytes('one '))
          await first.opened
          controller.enqueue(bytes('two'))
          controller.close()
          second.open()
        },
      })
      return new Response(body)
    })
    const open = await session.fetch('/events')
    expect(await session.rotate()).toBe(1)
    await (await session.fetch('/')).text()
    first.open()
    await second.opened
    expect(await open.text()).toBe('one two')
  })

  test('cancelled, a stream ends at the service too', async () => {
    const cancelled = gate()
    const { session } = await connected(() => {
      let timer: NodeJS.Timeout
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          timer = setInterval(() => controller.enqueue(bytes('tick')), 5)
        },
        cancel: () => {
          clearInterval(timer)
          cancelled.open()
        },
      })
      return new Response(body)
    })
    const response = await session.fetch('/events')
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await cancelled.opened
  })
})

test('a service that restarts and has forgotten everything: the session makes itself anew, the order is placed once', async () => {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const common = { ...silent, origin, allowPlaintextOnLoopback: true, limits: { exempt: () => true } }
  const first = await shop({ service: common })
  const orders: string[] = []
  /** Whoever serves: the same identity and users, and an empty store. */
  const serve = async (made: Awaited<ReturnType<typeof shop>>) => {
    made.service.setApplication(async (request) => {
      orders.push(await request.text())
      return new Response('placed')
    })
    const server = createServer(toNodeListener(createHandler(made.service)))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    }
  }
  const stopFirst = await serve(first)
  const steps: string[] = []
  const agent = createAgent({ identity: first.agentParty, allowPlaintextOnLoopback: true })
  const session = await agent.connect(origin, {
    authorization: await first.authorize(),
    scopes,
    onStep: ({ type }) => void steps.push(type),
  })
  await session.request('POST /api/order', { json: 1 })
  await stopFirst()
  const users = { find: () => ({ account: 'account-1' }) }
  const ordering = session.request('POST /api/order', { json: 2 })
  const stopSecond = await serve(await shop({ service: { ...common, users, identity: first.server } }))
  stops.push(() => void stopSecond())
  expect((await ordering).status).toBe(200)
  expect(orders).toEqual(['1', '2'])
  expect(steps.at(-1)).toBe('reconnected')
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}
