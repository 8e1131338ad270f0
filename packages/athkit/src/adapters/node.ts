import type { IncomingMessage, ServerResponse } from 'node:http'
import { refuse } from '../errors.ts'
import { createAddressReader, UNKNOWN_ADDRESS } from '../net/forwarded.ts'
import type { Service } from '../service/index.ts'
import { answerDirectly, directMessage } from './node-messages.ts'
import { toRequest } from './node-request.ts'
import { sendResponse } from './node-response.ts'
import { answerSealed, isSmallSealed } from './node-sealed.ts'
import { endOfTurn } from './turn.ts'

/** A fetch handler: Hono's `app.fetch`, or one that puts `createHandler` in front of something else. */
export type FetchHandler = (
  request: Request,
  info: { readonly address: string },
) => Response | undefined | Promise<Response | undefined>

export interface NodeListenerOptions {
  /** Networks of your own proxies, such as `10.0.0.0/8`: what they say in `X-Forwarded-For` is believed, and nobody else. */
  readonly trustedProxies?: readonly string[]
  /**
   * The service behind the handler. Its messages and small sealed requests then go to it as they come, and no `Request` is made of them
   * but the one inside a seal, which the application sees: they are faster, and pass nothing that stands in front of ATH in the handler.
   */
  readonly service?: Service
}

/**
 * The listener for `https.createServer` (or `http`, behind a proxy): bodies stream both ways, a client that goes away aborts the
 * request's signal, and the address is the socket's, or what a configured proxy says. Anything the handler does not answer is 404.
 *
 * @throws TypeError for a proxy that is no network
 */
export function toNodeListener(
  handler: FetchHandler,
  { trustedProxies, service }: NodeListenerOptions = {},
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const addressOf = createAddressReader(trustedProxies)
  return (incoming, outgoing) => {
    const forwarded = incoming.headers['x-forwarded-for']
    const address = addressOf(incoming.socket.remoteAddress ?? UNKNOWN_ADDRESS, forwarded?.toString())
    answerOnNode(handler, incoming, outgoing, { address, service }).catch(() => {
      if (!outgoing.headersSent) outgoing.writeHead(500)
      outgoing.end()
    })
  }
}

/** What a framework knows better than the request as it came in. */
export interface Known {
  /** With its query: `incoming.url` may have lost its beginning. */
  readonly target?: string
  /** Behind a proxy that the operator trusts. */
  readonly address?: string | undefined
  /** Whose messages and sealed requests need no `Request`. */
  readonly service?: Service | undefined
}

export async function answerOnNode(
  handler: FetchHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { target = incoming.url ?? '', address = incoming.socket.remoteAddress ?? 'unknown', service }: Known = {},
): Promise<void> {
  if (service !== undefined) {
    if (isSmallSealed(service, incoming, target))
      return answerSealed(service, incoming, outgoing, { address })
    const message = directMessage(service, incoming, target)
    if (message !== undefined) return answerDirectly(service, message, incoming, outgoing, { address })
  }
  const request = await toRequest(incoming, outgoing, target)
  if (request === undefined) {
    if (NEVER.has(incoming.method ?? '')) refuseMethod(outgoing)
    else outgoing.writeHead(400).end()
    return
  }
  await endOfTurn()
  const response = await handler(request, { address })
  await sendResponse(response ?? new Response(null, { status: 404 }), outgoing)
  if (!incoming.complete) dropRest(incoming)
}

/** Methods that no `Request` can have, and so no endpoint (ATH-9). */
const NEVER = new Set(['CONNECT', 'TRACE', 'TRACK'])

function refuseMethod(outgoing: ServerResponse): void {
  const refusal = refuse('malformed_message', 'a method of no endpoint', { rule: 'ATH-9', status: 405 })
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  outgoing.writeHead(refusal.code, headers).end(JSON.stringify(refusal.toWire(Math.floor(Date.now() / 1000))))
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
