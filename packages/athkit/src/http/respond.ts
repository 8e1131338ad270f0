import { utf8 } from '../crypto/bytes.ts'
import type { Json } from '../crypto/json.ts'
import { AthError, type ErrorName, HandshakeError, type LocalTrouble, refuse } from '../errors.ts'
import { wholeAnswer } from '../service/carried.ts'
import type { Caller } from '../service/index.ts'
import type { Host } from './dispatch.ts'

/** On every response (ATH-3.3): nothing is cached; any origin may read, with no credentials of a browser's. */
export const EVERYWHERE: [string, string][] = [
  ['cache-control', 'no-store'],
  ['access-control-allow-origin', '*'],
  ['access-control-expose-headers', 'Location, Retry-After'],
]

export function withCommonHeaders(response: Response): Response {
  for (const [name, value] of EVERYWHERE) response.headers.set(name, value)
  return response
}

export function json(status: number, body: Json, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: withType(headers) })
}

/** The same for what is asked for often: it costs no stream where the request's adapter needs none. */
export function jsonFor(
  request: Request,
  status: number,
  body: Json,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return wholeAnswer(request, utf8(JSON.stringify(body)), status, withType(headers))
}

const withType = (headers: Readonly<Record<string, string>>): [string, string][] => [
  ...EVERYWHERE,
  ['content-type', 'application/json'],
  ...Object.entries(headers),
]

/** Seconds, where nobody knows better (ATH-9). */
const RETRY_AFTER_SECONDS = 2

/** `Retry-After`, which 429, 500 and 503 always have. */
export function retryAfter(status: number, seconds: number | undefined): Readonly<Record<string, string>> {
  if (seconds !== undefined) return { 'retry-after': String(seconds) }
  return status === 429 || status === 500 || status === 503
    ? { 'retry-after': String(RETRY_AFTER_SECONDS) }
    : {}
}

/** What of the trouble here its peer may know. */
const PEER_SEES: ReadonlyMap<LocalTrouble | undefined, ErrorName> = new Map([
  ['store_unavailable', 'store_unavailable'],
  ['registry_violation', 'resolver_unavailable'],
])

/** What an exception is to the peer (ATH-9): the name of a refusal, or nothing but that something failed here. */
export function refusalFor(service: Pick<Host, 'emit'>, error: unknown, where: string): HandshakeError {
  if (error instanceof HandshakeError) return error
  service.emit({ type: 'failed', where, cause: error })
  const trouble = error instanceof AthError ? error.trouble : undefined
  return refuse(PEER_SEES.get(trouble) ?? 'internal', 'an exception')
}

export function errorResponse(
  service: Omit<Host, 'admit'>,
  error: unknown,
  where: string,
  { address }: Caller,
): Response {
  const refusal = refusalFor(service, error, where)
  const { reason, rule, step } = refusal
  if (refusal.code < 500) service.emit({ type: 'refused', error: refusal.error, reason, rule, step, address })
  const allow = refusal.code === 405 ? { allow: refusal.reason } : {}
  return json(
    refusal.code,
    { ...refusal.toWire(service.now()) },
    { ...retryAfter(refusal.code, refusal.retryAfter), ...allow },
  )
}
