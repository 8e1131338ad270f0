/**
 * One unsealed request of an agent or a wallet (ATH-3): redirects are never followed, the answer is bounded in size and in time, and
 * nothing of the browser's (cookies, cache, referrer) goes along.
 */
import { fromUtf8, utf8 } from '../crypto/bytes.ts'
import { type Json, MAX_BYTES, parseJson } from '../crypto/json.ts'
import { AthError } from '../errors.ts'
import { checkErrorObject } from '../messages/error-object.ts'
import { type Fetch, readBounded, type SendInit, send as sendPlain } from '../net/request.ts'
import { refusedBy } from './refusal.ts'
import { deadline } from './time.ts'

export { drop, type Fetch, readBounded } from '../net/request.ts'

export interface Transport {
  readonly fetch: Fetch
  /** Milliseconds for an answer, its body included, beyond what the server was asked to wait. */
  readonly answerWithin: number
}

export const ANSWER_WITHIN = 30_000

/** @throws TypeError where there is no `fetch` */
export function createTransport(options: {
  readonly fetch?: Fetch | undefined
  readonly answerWithin?: number | undefined
}): Transport {
  const given = options.fetch ?? globalThis.fetch
  if (typeof given !== 'function') throw new TypeError('this platform has no fetch: pass one as `fetch`')
  return { fetch: (url, init) => given(url, init), answerWithin: options.answerWithin ?? ANSWER_WITHIN }
}

export interface Call {
  readonly url: string
  readonly method: 'GET' | 'POST'
  /** The exact bytes, so that what is sent again is the same. */
  readonly body?: Uint8Array | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Seconds that the server was asked to wait (`Prefer: wait=N`). */
  readonly wait?: number
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Json
}

/**
 * @returns a 2xx answer, its JSON read strictly; other statuses where the body is what `accept` takes
 * @throws HandshakeError what the server refused it with, or `malformed_message`
 * @throws AthError `transport_failed` when no whole answer came, `peer_violation` for a redirect, or more than 64 KiB
 * @throws the signal's reason
 */
export async function call(
  transport: Transport,
  { url, method, body, headers = {}, wait = 0, signal }: Call,
  accept: (status: number, body: Json) => boolean = () => false,
): Promise<Answer> {
  const limit = deadline(transport.answerWithin + wait * 1000, signal)
  try {
    const response = await send(transport, url, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: (body ?? null) as RequestInit['body'] & (Uint8Array | null),
      signal: limit.signal,
    })
    const bytes = await readBounded(response, MAX_BYTES, limit.signal)
    return answerOf(response, bytes, accept)
  } catch (error) {
    throw troubleOf(error, signal, limit.expired())
  } finally {
    limit.clear()
  }
}

/** A request as every one of ATH is sent. @throws AthError `peer_violation` for a redirect (ATH-3.2) */
export const send = (transport: Transport, url: string, init: SendInit): Promise<Response> =>
  sendPlain(transport.fetch, url, init)

export const jsonBytes = (value: Json): Uint8Array => utf8(JSON.stringify(value))

function answerOf(
  response: Response,
  bytes: Uint8Array,
  accept: (status: number, body: Json) => boolean,
): Answer {
  const { status, headers } = response
  if (response.ok) return { status, headers, body: parseJson(bytes, { maxDepth: 17 }) }
  const body = jsonOrUndefined(bytes)
  if (body !== undefined && accept(status, body)) return { status, headers, body }
  throw refusalIn(status, headers, body)
}

/** What is said below ATH, and not of it, of a request that came in pieces or not to its end. */
const OF_THE_CONNECTION = new Set([400, 408])

/**
 * What a status other than 2xx says. A gateway's own page in the way of a 5xx is trouble on the way, and so is a bare 400 or 408 without
 * an error object: no word of the server's.
 */
export function refusalIn(status: number, headers: Headers, body: Json): Error {
  try {
    return refusedBy(checkErrorObject(status, body), headers)
  } catch (error) {
    const isBare = body === undefined && OF_THE_CONNECTION.has(status)
    if (status < 500 && !isBare) return error as Error
    return new AthError('transport_failed', `HTTP ${status} from something on the way`, { cause: error })
  }
}

function jsonOrUndefined(bytes: Uint8Array): Json {
  try {
    fromUtf8(bytes)
    return parseJson(bytes, { maxDepth: 17 })
  } catch {
    return undefined
  }
}

/** What `fetch` and streams throw, by who acts on it: the caller's own abort, an error of this library, or the network. */
export function troubleOf(error: unknown, signal: AbortSignal | undefined, expired: boolean): unknown {
  if (signal?.aborted === true) return signal.reason
  if (expired) return new AthError('transport_failed', 'no answer in time', { cause: error })
  if (error instanceof AthError || (error instanceof Error && 'error' in error)) return error
  return new AthError('transport_failed', 'no answer: the connection failed', { cause: error })
}
