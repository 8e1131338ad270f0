/**
 * What a caller of `fetch` wants, read with the platform's own `Request`, so that methods, headers and bodies mean what they always do.
 */
import { concat } from '../crypto/bytes.ts'
import type { InnerBody } from './inner-request.ts'

/** Like `RequestInit`; what belongs to the outer connection (cache, credentials, keepalive …) has no meaning inside. */
export type SealedInit = RequestInit & { readonly duplex?: 'half' }

export interface Outgoing {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: InnerBody
  readonly redirect: RequestRedirect
  readonly signal: AbortSignal | undefined
}

/** A `Request` with no more than this is held, so that it can be sent again; more of it streams. */
const HELD_BYTES = 1_048_576

/** @throws TypeError for another origin, and what `Request` refuses */
export async function readOutgoing(
  input: string | URL | Request,
  init: SealedInit | undefined,
  origin: string,
): Promise<Outgoing> {
  const url = new URL(input instanceof Request ? input.url : input, origin)
  if (url.origin !== origin) throw new TypeError(`this session reaches ${origin} alone`)
  const half = init?.body === undefined || init.body === null ? {} : { duplex: 'half' }
  const request = new Request(input instanceof Request ? input : url, { ...half, ...init } as RequestInit)
  return {
    url,
    method: request.method,
    headers: inside(request.headers),
    body: await bodyOf(request, init?.body ?? undefined),
    redirect: request.redirect,
    signal: signalOf(input, init),
  }
}

/** `null` takes the signal of a `Request` away, as in `fetch`. */
export function signalOf(
  input: string | URL | Request,
  init: SealedInit | undefined,
): AbortSignal | undefined {
  if (init?.signal !== undefined) return init.signal ?? undefined
  return input instanceof Request ? input.signal : undefined
}

/** What is the connection's, or ours: `fetch` would set it, or leave it out, in its own way (ATH-7.4). */
const OUTSIDE = new Set([
  'accept-encoding',
  'authorization',
  'connection',
  'content-length',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-real-ip',
])

function inside(headers: Headers): Headers {
  const kept = new Headers({ accept: '*/*' })
  headers.forEach((value, name) => {
    if (!OUTSIDE.has(name) && !name.startsWith('x-forwarded-')) kept.set(name, value)
  })
  return kept
}

async function bodyOf(request: Request, given: BodyInit | undefined): Promise<InnerBody> {
  if (request.body === null) return undefined
  if (given instanceof ReadableStream) return request.body
  // A large blob, a file's perhaps, is read as it is sent, each time that it is sent.
  if (given instanceof Blob && given.size > HELD_BYTES) return given
  // Strings, bytes, forms: whoever passed them holds them already.
  if (given !== undefined && !(Symbol.asyncIterator in Object(given)))
    return new Uint8Array(await request.arrayBuffer())
  return hold(request.body)
}

async function hold(stream: ReadableStream<Uint8Array>): Promise<InnerBody> {
  const reader = stream.getReader()
  const parts: Uint8Array[] = []
  for (let size = 0; size <= HELD_BYTES; ) {
    const { done, value } = await reader.read()
    if (done) return concat(...parts)
    parts.push(value)
    size += value.length
  }
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const held = parts.shift()
      if (held !== undefined) return controller.enqueue(held)
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}
