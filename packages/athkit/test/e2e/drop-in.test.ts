import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'
import { type AgentSession, createAgent, type SealedFetch } from '../../src/agent/index.ts'
import { shopOnSocket } from './on-socket.ts'
import { nobodyIsAsked } from './shop.ts'

/** One application, reached by the platform's `fetch` in the clear and by `session.fetch` sealed: both have to see the same. */
async function application(request: Request): Promise<Response> {
  const { pathname, searchParams, search } = new URL(request.url)
  if (pathname === '/redirect') {
    const location = searchParams.get('to') ?? '/echo'
    return new Response('moved', { status: Number(searchParams.get('status')), headers: { location } })
  }
  if (pathname === '/circle') return new Response(null, { status: 302, headers: { location: '/circle' } })
  if (pathname.startsWith('/status/')) {
    const status = Number(pathname.slice('/status/'.length))
    return new Response([204, 205, 304].includes(status) ? null : 'text', {
      status,
      headers: { 'x-one': '1' },
    })
  }
  if (pathname === '/bytes') return new Response(new Uint8Array([0, 255, 254, 10, 13]))
  if (pathname === '/cookies')
    return new Response('', {
      headers: [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['x-two', 'one, two'],
      ],
    })
  if (pathname === '/never') return new Promise(() => undefined)
  const type = request.headers.get('content-type')
  const bytes = new Uint8Array(await request.arrayBuffer())
  const isForm = type?.startsWith('multipart/form-data') === true
  const form = isForm
    ? await new Response(bytes, { headers: { 'content-type': type ?? '' } }).formData()
    : undefined
  const fields = form === undefined ? undefined : await Promise.all([...form].map(shownField))
  return Response.json({
    method: request.method,
    at: pathname + search,
    accept: request.headers.get('accept'),
    own: request.headers.get('x-own'),
    type: isForm ? 'multipart/form-data' : type,
    body: fields ?? Buffer.from(bytes).toString('latin1'),
  })
}

const shownField = async ([name, value]: [string, FormDataEntryValue]) =>
  typeof value === 'string' ? [name, value] : [name, value.name, value.type, await value.text()]

let plain: Server
let plainOrigin = ''
let shop: Awaited<ReturnType<typeof shopOnSocket>>
let session: AgentSession

beforeAll(async () => {
  plain = createServer(toNodeListener(application))
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
  plainOrigin = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`
  shop = await shopOnSocket({ service: { ...nobodyIsAsked, restrictions: {} } })
  shop.service.setApplication(application)
  const agent = createAgent({ identity: shop.agentParty, allowPlaintextOnLoopback: true })
  session = await agent.connect(shop.origin, {
    authorization: await shop.authorize(),
    scopes: ['goods:read'],
  })
})
afterAll(() => {
  shop.stop()
  plain.close()
  plain.closeAllConnections()
})

type Call = (fetch: SealedFetch, origin: string) => Promise<Response>

/** Everything that a caller sees, with the origin left out of it. */
async function seen(call: Call, fetch: SealedFetch, origin: string): Promise<unknown> {
  try {
    const response = await call(fetch, origin)
    const copy = response.clone()
    const { status, ok, redirected, url, type } = response
    const headers = [...response.headers].filter(([name]) =>
      /^(x-|content-type|location|set-cookie)/.test(name),
    )
    const body = Buffer.from(await response.arrayBuffer()).toString('latin1')
    return {
      status,
      ok,
      redirected,
      type,
      url: url.replace(origin, ''),
      headers,
      body,
      used: response.bodyUsed,
      copy: [copy.url.replace(origin, ''), copy.redirected, (await copy.text()).length],
    }
  } catch (error) {
    return { threw: error instanceof TypeError ? 'TypeError' : String(error) }
  }
}

const form = () => {
  const data = new FormData()
  data.set('name', 'välue')
  data.set('file', new File(['content'], 'a.txt', { type: 'text/x' }))
  return data
}
const stream = (...parts: string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part))
      controller.close()
    },
  })
const streamed = { method: 'POST', duplex: 'half' } as const

const calls: Record<string, Call> = {
  'a URL in a string': (fetch, at) => fetch(`${at}/echo?a=1&b=%20c#fragment`),
  'a URL object': (fetch, at) => fetch(new URL('/echo?x=ü', at)),
  'a Request': (fetch, at) =>
    fetch(new Request(`${at}/echo`, { method: 'PUT', body: 'x', headers: { 'x-own': '1' } })),
  'a Request and an init': (fetch, at) =>
    fetch(new Request(`${at}/echo`, { method: 'PUT', body: 'x', headers: { 'x-own': '1' } }), {
      method: 'POST',
      body: 'y',
      headers: { 'x-own': '2' },
    }),
  'a method in lower case': (fetch, at) => fetch(`${at}/echo`, { method: 'post' }),
  'a method of one’s own': (fetch, at) => fetch(`${at}/echo`, { method: 'PROPFIND' }),
  'headers as an object, a list, Headers': (fetch, at) =>
    fetch(`${at}/echo`, {
      headers: new Headers([
        ['X-Own', 'a'],
        ['x-own', 'b'],
        ['accept', 'text/x'],
      ]),
    }),
  'a string': (fetch, at) => fetch(`${at}/echo`, { method: 'POST', body: 'tëxt' }),
  URLSearchParams: (fetch, at) =>
    fetch(`${at}/echo`, { method: 'POST', body: new URLSearchParams({ a: 'b c' }) }),
  'a form with a file': (fetch, at) => fetch(`${at}/echo`, { method: 'POST', body: form() }),
  'a Blob': (fetch, at) => fetch(`${at}/echo`, { method: 'POST', body: new Blob(['b'], { type: 'text/b' }) }),
  bytes: (fetch, at) => fetch(`${at}/echo`, { method: 'POST', body: new Uint8Array([1, 0, 255]) }),
  'an empty body': (fetch, at) => fetch(`${at}/echo`, { method: 'POST', body: '' }),
  'a stream': (fetch, at) => fetch(`${at}/echo`, { ...streamed, body: stream('one', '', 'two') }),
  'a stream in a Request': (fetch, at) =>
    fetch(new Request(`${at}/echo`, { ...streamed, body: stream('one', 'two') } as RequestInit)),
  'bytes back': (fetch, at) => fetch(`${at}/bytes`),
  'several headers of one name': (fetch, at) => fetch(`${at}/cookies`),
  HEAD: (fetch, at) => fetch(`${at}/status/200`, { method: 'HEAD' }),
  'GET with a body': (fetch, at) => fetch(`${at}/echo`, { body: 'x' }),
  'a method that is forbidden': (fetch, at) => fetch(`${at}/echo`, { method: 'TRACE' }),
  'a header that is none': (fetch, at) => fetch(`${at}/echo`, { headers: { 'x own': '1' } }),
  'a user in the URL': (fetch, at) => fetch(`${at.replace('//', '//user:pass@')}/echo`),
  'no URL': (fetch) => fetch('http://'),
  'a body that was read': async (fetch, at) => {
    const request = new Request(`${at}/echo`, { method: 'POST', body: 'x' })
    await request.text()
    return fetch(request)
  },
  'aborted before': (fetch, at) => fetch(`${at}/echo`, { signal: AbortSignal.abort(new Error('enough')) }),
  'aborted while it waits': (fetch, at) => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('enough')), 20)
    return fetch(`${at}/never`, { signal: controller.signal })
  },
  'aborted by the Request’s own signal': (fetch, at) => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('enough')), 20)
    return fetch(new Request(`${at}/never`, { signal: controller.signal }))
  },
  'a Request whose signal is taken away': (fetch, at) =>
    fetch(new Request(`${at}/echo`, { signal: AbortSignal.abort() }), { signal: null }),
}
for (const status of [200, 201, 204, 205, 304, 400, 401, 403, 404, 418, 500, 503])
  calls[`status ${status}`] = (fetch, at) => fetch(`${at}/status/${status}`)
for (const status of [301, 302, 303, 307, 308])
  for (const method of ['GET', 'HEAD', 'POST', 'PUT'])
    calls[`${status} of a ${method}`] = (fetch, at) =>
      fetch(`${at}/redirect?status=${status}&to=%2Fecho%3Fb`, {
        method,
        headers: { 'x-own': '1' },
        ...(method.startsWith('P') ? { body: 'x' } : {}),
      })
Object.assign(calls, {
  'a redirect that is relative': (fetch, at) => fetch(`${at}/redirect?status=302&to=echo?c`),
  'a redirect to nowhere': (fetch, at) => fetch(`${at}/redirect?status=302&to=http%3A%2F%2F`),
  'a redirect in circles': (fetch, at) => fetch(`${at}/circle`),
  'redirect: manual': (fetch, at) => fetch(`${at}/redirect?status=302`, { redirect: 'manual' }),
  'redirect: error': (fetch, at) => fetch(`${at}/redirect?status=302`, { redirect: 'error' }),
  'a stream that would have to be sent again': (fetch, at) =>
    fetch(`${at}/redirect?status=307`, { ...streamed, body: stream('x') }),
} satisfies Record<string, Call>)

describe('session.fetch is a drop-in fetch: the service and the caller see the same', () => {
  test.each(Object.keys(calls))('%s', async (name) => {
    const call = calls[name] as Call
    const [inTheClear, sealed] = [
      await seen(call, fetch as SealedFetch, plainOrigin),
      await seen(call, session.fetch, shop.origin),
    ]
    expect(sealed).toEqual(inTheClear)
  })
})
