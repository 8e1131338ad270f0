import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { type Duplex, duplexPair, Readable } from 'node:stream'
import { drained } from './node-response.ts'

export type NodeListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void

const inner = new WeakMap<Duplex, Request>()
const refused = new WeakMap<Request, Response>()

/** The opened request that a framework's own stands for; undefined for one that did not come through a session. */
export const innerRequestOf = ({ socket }: IncomingMessage): Request | undefined => inner.get(socket)

/** What was answered to an opened request is a refusal of ATH's own: sealing has to know (ATH-7.4). */
export const markRefused = (request: Request, response: Response) => void refused.set(request, response)

/** Bytes: more than the head of a sealed request can have. */
const MOST_HEAD = 131_072

/**
 * The reverse of `toNodeListener`: a listener as a fetch-like function. Each request goes through a connection in memory, with Node's
 * own HTTP at both its ends, so that a framework finds what it would find behind a socket: back-pressure, `close`, chunked bodies.
 */
export function toFetchHandler(listener: NodeListener): (request: Request) => Promise<Response> {
  const server = createServer({ maxHeaderSize: MOST_HEAD }, (incoming, outgoing) => {
    outgoing.sendDate = false
    listener(incoming, outgoing)
  })
  return (request) =>
    new Promise((resolve, reject) => {
      const outgoing = send({ ...headOf(request), maxHeaderSize: MOST_HEAD, createConnection: connect })
      outgoing.on('response', (incoming) => responseOf(request, incoming).then(resolve, reject))
      outgoing.on('error', reject)
      // Whoever gave it a key comes back for the outcome (ATH-7.7), so the handler goes on to its end.
      if (!request.headers.has('idempotency-key')) {
        const end = () => outgoing.destroy(new Error('the client has gone away'))
        if (request.signal.aborted) end()
        request.signal.addEventListener('abort', end, { once: true })
        outgoing.once('close', () => request.signal.removeEventListener('abort', end))
      }
      sendBody(request, outgoing).catch((error) => outgoing.destroy(error))

      function connect(): Duplex {
        const [near, far] = duplexPair()
        inner.set(far, request)
        // Frameworks tell `https` by it.
        Object.assign(far, { encrypted: request.url.startsWith('https:') })
        near.once('close', () => far.destroy())
        far.once('close', () => {
          if (!far.writableFinished) near.destroy(new Error('the application broke off'))
        })
        server.emit('connection', far)
        return near
      }
    })
}

function headOf(request: Request) {
  const { method, headers, body } = request
  const { host, pathname, search } = new URL(request.url)
  const bare = method === 'GET' || method === 'HEAD'
  const length = body === null ? (bare ? [] : ['content-length', '0']) : ['transfer-encoding', 'chunked']
  const given = ['host', host, 'connection', 'close', ...length, ...[...headers].flat()]
  return { method, path: pathname + search, headers: given }
}

async function sendBody({ body }: Request, outgoing: ReturnType<typeof send>): Promise<void> {
  for await (const chunk of body ?? []) {
    if (outgoing.destroyed) return
    if (!outgoing.write(chunk)) await drained(outgoing)
  }
  outgoing.end()
}

/** An answer up to this size is collected, so that it is sealed in one piece. */
const SMALL = 65_536
const WITHOUT_BODY = new Set([204, 205, 304])

async function responseOf(request: Request, incoming: IncomingMessage): Promise<Response> {
  const own = refused.get(request)
  const { statusCode: status = 500, rawHeaders } = incoming
  if (own !== undefined || WITHOUT_BODY.has(status)) {
    incoming.resume()
    return own ?? new Response(null, { status, headers: headersOf(rawHeaders) })
  }
  const isSmall = Number(incoming.headers['content-length']) <= SMALL
  const body = isSmall
    ? new Uint8Array(Buffer.concat(await incoming.toArray()))
    : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
  return new Response(body, { status, headers: headersOf(rawHeaders) })
}

function headersOf(raw: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i < raw.length; i += 2) headers.append(raw[i] as string, raw[i + 1] as string)
  return headers
}
