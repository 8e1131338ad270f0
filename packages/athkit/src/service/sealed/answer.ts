import { fromBase64url, utf8 } from '../../crypto/bytes.ts'
import type { Json } from '../../crypto/json.ts'
import { AthError, HandshakeError, refuse } from '../../errors.ts'
import type { ServiceContext } from '../context.ts'
import { refusalOf } from '../grant-of.ts'
import type { KeptAnswer } from './idempotency.ts'

type Headers = readonly (readonly [string, string])[]

/** What is going to be sealed: an answer of the application, or with `ath` one of ATH's own (ATH-7.4). */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** null: none. */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null
  readonly ath?: true
  /** Which refusal it is, where it is one. */
  readonly refusal?: HandshakeError
}

const JSON_HEADERS: Headers = [
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
]

/** What the session's own paths answer. */
export const ownAnswer = (status: number, body?: Json): Answer => ({
  status,
  headers: body === undefined ? [] : JSON_HEADERS,
  body: body === undefined ? null : utf8(JSON.stringify(body)),
  ath: true,
})

/** Seconds, where nobody knows better (ATH-9). */
const RETRY_AFTER_SECONDS = 2
const WITH_RETRY_AFTER = [429, 500, 503]

export function refusalAnswer(error: HandshakeError, now: number): Answer {
  const answer = ownAnswer(error.code, { ...error.toWire(now) })
  const seconds =
    error.retryAfter ?? (WITH_RETRY_AFTER.includes(error.code) ? RETRY_AFTER_SECONDS : undefined)
  if (seconds === undefined) return answer
  return { ...answer, headers: [...answer.headers, ['retry-after', String(seconds)]] }
}

/** The refusal that an exception is to the peer; what is no refusal is told to the operator and nobody else. */
export function refusalFor(context: ServiceContext, error: unknown, where: string): HandshakeError {
  if (error instanceof HandshakeError) return error
  context.emit({ type: 'failed', where, cause: error })
  const isStore = error instanceof AthError && error.trouble === 'store_unavailable'
  return refuse(isStore ? 'store_unavailable' : 'internal', 'an exception')
}

export const keptAnswer = ({ status, headers, body }: KeptAnswer): Answer => ({
  status,
  headers,
  body: body === undefined ? null : fromBase64url(body),
})

/** Hop-by-hop headers end where the application's answer does (ATH-7.4); the length is that of the records. */
const LEFT_OUT = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const COMPRESSIONS = new Map<string, CompressionFormat>([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
])

/** @throws TypeError for an answer that cannot be one: `Response.error()`, or a compression that cannot be undone here */
export function answerOf(response: Response, method: string): Answer {
  const { status } = response
  if (status < 200) throw new TypeError(`the application answered with status ${status}`)
  const headers: [string, string][] = []
  let encoding: string | undefined
  for (const [name, value] of response.headers) {
    if (name === 'content-encoding') encoding = value.trim().toLowerCase()
    else if (!LEFT_OUT.has(name)) headers.push([name, value])
  }
  const whole = method === 'HEAD' ? null : response.body
  const body = encoding === undefined || whole === null ? whole : decompressed(whole, encoding)
  const refusal = refusalOf(response)
  return refusal === undefined ? { status, headers, body } : { status, headers, body, ath: true, refusal }
}

/** Nothing is compressed inside (ATH-7.4): lengths would tell of secrets beside what others can choose. */
function decompressed(body: ReadableStream<Uint8Array>, encoding: string): ReadableStream<Uint8Array> {
  if (encoding === '' || encoding === 'identity') return body
  const format = COMPRESSIONS.get(encoding)
  if (format === undefined) throw new TypeError('the application compressed its answer in a way unknown here')
  return body.pipeThrough(new DecompressionStream(format) as ReadableWritablePair<Uint8Array, Uint8Array>)
}
