import { utf8 } from '../crypto/bytes.ts'
import { AthError, type ErrorName, HandshakeError, type LocalTrouble, refuse } from '../errors.ts'
import { wholeAnswer } from '../service/carried.ts'
import type { Caller } from '../service/index.ts'
import type { Host } from './dispatch.ts'
import type { Answered } from './endpoint.ts'

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

/** The headers of an answer, `content-type` among them. */
export const headersOfAnswer = ({ headers = {} }: Answered): [string, string][] => [
  ...EVERYWHERE,
  ['content-type', 'application/json'],
  ...Object.entries(headers),
]

/** Without a stream where the request's adapter needs none. */
export const responseFor = (request: Request, answered: Answered): Response =>
  wholeAnswer(request, utf8(JSON.stringify(answered.body)), answered.status, headersOfAnswer(answered))

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

export function refusalAnswer(
  service: Omit<Host, 'admit'>,
  error: unknown,
  where: string,
  { address }: Caller,
): Answered {
  const refusal = refusalFor(service, error, where)
  const { reason, rule, step, code: status } = refusal
  if (status < 500) service.emit({ type: 'refused', error: refusal.error, reason, rule, step, address })
  const allow = status === 405 ? { allow: refusal.reason } : {}
  const headers = { ...retryAfter(status, refusal.retryAfter), ...allow }
  return { status, body: { ...refusal.toWire(service.now()) }, headers }
}
