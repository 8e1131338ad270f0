import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { carried, carry } from '../service/carried.ts'

/** A fetch handler: Hono's `app.fetch`, or one that puts `createHandler` in front of something else. */
export type FetchHandler = (
  request: Request,
  info: { readonly address: string },
) => Response | undefined | Promise<Response | undefined>

/** What the URLs of requests begin with. ATH never looks at it, and `Host` is not believed (ATH-3.1). */
const BASE = 'https://localhost'

/**
 * The listener for `https.createServer` (or `http`, behind a proxy): bodies stream both ways, a client that goes away aborts the
 * request's signal, and the address is the socket's. Anything the handler does not answer is 404.
 */
export function toNodeListener(
  handler: FetchHandler,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  return (incoming, outgoing) => {
    answer(handler, incoming, outgoing).catch(() => {
      if (!outgoing.headersSent) outgoing.writeHead(500)
      outgoing.end()
    })
  }
}

async function answer(
  handler: FetchHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const body = await sealedBody(incoming)
  const request = toRequest(incoming, body)
  if (request === undefined) {
    outgoing.writeHead(400).end()
    return
  }
  abortWith(request, outgoing)
  const response = await handler(request, { address: incoming.socket.remoteAddress ?? 'unknown' })
  await send(response ?? new Response(null, { status: 404 }), outgoing)
  if (!incoming.complete) dropRest(incoming)
}

const MOST_DROPPED_BYTES = 1_048_576
const DROP_WITHIN_MS = 5000

/**
 * What a client goes on to send after it has its answer is read and thrown away, so that its next request on this connection is
 * heard. If that is much, or slow, the connection ends instead.
 */
function dropRest(incoming: IncomingMessage): void {
  let left = MOST_DROPPED_BYTES
  const timer = setTimeout(() => incoming.destroy(), DROP_WITHIN_MS)
  incoming.once('close', () => clearTimeout(timer))
  incoming.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) incoming.destroy()
    // Whoever holds the body as a stream stops it again and again.
    else incoming.resume()
  })
  incoming.resume()
}

/** A signal costs as much as the rest of a request, so there is none until somebody asks. */
function abortWith(request: Request, outgoing: ServerResponse): void {
  let gone: AbortController | undefined
  const isGone = () => outgoing.destroyed && !outgoing.writableFinished
  outgoing.once('close', () => {
    if (isGone()) gone?.abort()
  })
  const get = () => {
    if (gone === undefined) {
      gone = new AbortController()
      if (isGone()) gone.abort()
    }
    return gone.signal
  }
  Object.defineProperty(request, 'signal', { get, configurable: true })
}

/** undefined for a target that is no path: an absolute URL, `*`, or what no `Request` can be made of. */
function toRequest(
  incoming: IncomingMessage,
  whole: Uint8Array<ArrayBuffer> | undefined,
): Request | undefined {
  const { method = 'GET', url = '', rawHeaders } = incoming
  if (!url.startsWith('/')) return undefined
  try {
    const headers = new Headers()
    for (let i = 0; i < rawHeaders.length; i += 2)
      headers.append(rawHeaders[i] as string, rawHeaders[i + 1] as string)
    if (whole !== undefined) return carry(new Request(BASE + url, { method, headers }), whole)
    const hasBody = method !== 'GET' && method !== 'HEAD'
    const body = hasBody ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null
    return new Request(BASE + url, { method, headers, body, ...(hasBody ? { duplex: 'half' } : {}) })
  } catch {
    return undefined
  }
}

/** Bytes; what a record takes, and the header before it (ATH-7.2). */
const SMALL = 65_536 + 65

/**
 * A small sealed body, whole: nothing of it can be used before its record has come to its end, and a stream costs more than the
 * rest of the request.
 */
async function sealedBody(incoming: IncomingMessage): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { 'content-type': type, 'content-length': length } = incoming.headers
  if (type !== 'application/ath-sealed' || !(Number(length) <= SMALL)) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return new Uint8Array(Buffer.concat(chunks))
}

async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  const headers = new Map<string, string | string[]>()
  for (const [name, value] of response.headers) if (name !== 'set-cookie') headers.set(name, value)
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) headers.set('set-cookie', cookies)
  outgoing.writeHead(response.status, Object.fromEntries(headers))
  const whole = carried(response)
  if (whole !== undefined) outgoing.end(whole)
  else if (response.body === null) outgoing.end()
  else await sendBody(response.body.getReader(), outgoing, Number(headers.get('content-length')))
}

/** Chunk by chunk, as fast as the client takes them; a body that breaks off breaks the connection off, so that it never looks whole. */
async function sendBody(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  outgoing: ServerResponse,
  length: number,
): Promise<void> {
  const cancel = () => void reader.cancel().catch(() => undefined)
  if (outgoing.destroyed) return cancel()
  outgoing.once('close', cancel)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done || outgoing.destroyed) break
      // All of it at once goes out in one piece with the head.
      if (value.length === length) {
        outgoing.off('close', cancel).end(value)
        return
      }
      if (!outgoing.write(value)) await drained(outgoing)
    }
    outgoing.off('close', cancel)
    outgoing.end()
  } catch {
    outgoing.destroy()
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      outgoing.off('drain', go).off('close', go)
      resolve()
    }
    outgoing.once('drain', go).once('close', go)
  })
}
