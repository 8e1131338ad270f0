import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { SEALED_TYPE } from '../http/sealed.ts'
import { acceptCarried, carry } from '../service/carried.ts'
import { LazySignalRequest } from '../service/lazy-signal.ts'

/** What the URLs of requests begin with. ATH never looks at it, and `Host` is not believed (ATH-3.1). */
const BASE = 'https://localhost'

/** The path of a target as the handler will see it; undefined for one that is no path: an absolute URL, `*`. */
export const pathOf = (target: string): string | undefined =>
  target.startsWith('/') && URL.canParse(BASE + target) ? new URL(BASE + target).pathname : undefined

/**
 * The request that came in. A small sealed body comes beside it, small JSON whole, every other one streams; the signal is aborted when the client goes
 * away. undefined for a target that is no path, or what no `Request` can be made of.
 *
 * @param target with its query; a framework may have cut off the beginning of `incoming.url`
 */
export async function toRequest(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target = incoming.url ?? '',
): Promise<Request | undefined> {
  const whole = isSmallMessage(incoming) ? await readWhole(incoming) : undefined
  return requestOf(incoming, target, whole, signalOf(outgoing))
}

function requestOf(
  incoming: IncomingMessage,
  target: string,
  whole: Uint8Array<ArrayBuffer> | undefined,
  signal: () => AbortSignal,
): Request | undefined {
  const { method = 'GET', rawHeaders } = incoming
  if (!target.startsWith('/')) return undefined
  try {
    const headers = new Headers()
    for (let i = 0; i < rawHeaders.length; i += 2)
      headers.append(rawHeaders[i] as string, rawHeaders[i + 1] as string)
    const make = (init: RequestInit) =>
      new LazySignalRequest(BASE + target, { method, headers, ...init }, signal)
    // The application may want to read JSON; a sealed body it has no use for.
    if (whole !== undefined)
      return carry(make(incoming.headers['content-type'] === SEALED_TYPE ? {} : { body: whole }), whole)
    if (method === 'GET' || method === 'HEAD') return acceptCarried(make({}))
    const body = Readable.toWeb(incoming) as ReadableStream<Uint8Array>
    return acceptCarried(make({ body, ...STREAMING }))
  } catch {
    return undefined
  }
}

/** What `Request` wants to be told of a body that is a stream. */
const STREAMING = { duplex: 'half' }

/** Bytes; what a record takes, and the header before it (ATH-7.2). No unsealed message is longer (ATH-1.1). */
const SMALL = 65_536 + 65

/** Whether a body says that it fits into one message, and nothing else of its length. */
const isSmall = (
  { 'content-length': length, 'transfer-encoding': encoding }: IncomingMessage['headers'],
  most = SMALL,
): boolean => Number(length) <= most && encoding === undefined

/**
 * Whether a body is of this media type alone and small, so that it can be read whole and needs no `Request`. Of several media types, Node
 * shows the first alone.
 *
 * @param most bytes; without it, what a record takes
 */
export const isWhole = ({ headers, rawHeaders }: IncomingMessage, type: string, most?: number): boolean =>
  headers['content-type'] === type && isSmall(headers, most) && rawHeaders.filter(isContentType).length === 1

/** @param at even: a name; odd: its value */
const isContentType = (text: string, at: number): boolean =>
  at % 2 === 0 && text.length === 12 && text.toLowerCase() === 'content-type'

/** A body may come byte by byte, and every chunk costs more than its bytes. */
const MOST_CHUNKS = 64

/**
 * A body that may be a message of ATH's, whole: nothing of it can be used before it has come to its end, and a stream costs more than
 * the rest of the request.
 */
function isSmallMessage({ method, headers }: IncomingMessage): boolean {
  const { 'content-type': type } = headers
  if (method === 'GET' || method === 'HEAD' || !isSmall(headers)) return false
  return type === SEALED_TYPE || type === 'application/json'
}

/** @throws Error for a body that broke off */
export function readWhole(incoming: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer<ArrayBuffer>[] = []
    incoming.on('data', (chunk: Buffer<ArrayBuffer>) => {
      if (chunks.push(chunk) === MOST_CHUNKS) chunks = [Buffer.concat(chunks)]
    })
    incoming.once('end', () =>
      resolve(chunks.length === 1 ? (chunks[0] as Buffer<ArrayBuffer>) : Buffer.concat(chunks)),
    )
    incoming.once('error', reject)
    // Every request is closed in the end; an error is only made for one that broke off.
    incoming.once('close', () => {
      if (!incoming.readableEnded) reject(new Error('the body broke off'))
    })
  })
}

/** Aborted when the client goes away. */
export function signalOf(outgoing: ServerResponse): () => AbortSignal {
  let gone: AbortController | undefined
  const isGone = () => outgoing.destroyed && !outgoing.writableFinished
  outgoing.once('close', () => {
    if (isGone()) gone?.abort()
  })
  return () => {
    if (gone === undefined) {
      gone = new AbortController()
      if (isGone()) gone.abort()
    }
    return gone.signal
  }
}
