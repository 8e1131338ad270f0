import type { Awaitable } from '../crypto/bytes.ts'
import { refuse } from '../errors.ts'
import type { Caller, ServiceEvent } from '../service/index.ts'
import { readJsonBody } from './body.ts'
import type { Answered, AnswerMessage, Endpoint, Method } from './endpoint.ts'
import { refusalAnswer, responseFor, withCommonHeaders } from './respond.ts'

/** Whoever answers at endpoints: a service, a registry. */
export interface Host {
  /** Before anything else is looked at (ATH-4.4). @throws HandshakeError `rate_limited` */
  admit(caller: Caller): void
  emit(event: Extract<ServiceEvent, { readonly type: 'refused' | 'failed' }>): void
  /** Unix seconds. */
  now(): number
}

/**
 * A request in, its response out, undefined where the path is none of the endpoints'. Where the request claims to have been sent to —
 * `Host`, its URL's origin — is never looked at (ATH-3.1).
 */
export type Handler = (request: Request, caller: Caller) => Promise<Response | undefined>

/** The endpoints on HTTP: methods, preflights, counting by address, refusals (ATH-3.3, ATH-9). */
export function dispatch<H extends Host>(host: H, endpoints: readonly Endpoint<H>[]): Handler {
  return async (request, caller) => {
    const path = new URL(request.url).pathname
    const endpoint = endpoints.find((one) => isAt(one, path))
    if (endpoint === undefined) return undefined
    if (request.method === 'OPTIONS') return preflight(endpoint)
    const method = methodOf(request.method)
    const rest = path.slice(endpoint.path.length)
    const answer = method && endpoint.messages?.[method]
    if (answer !== undefined) {
      const read = () => (method === 'POST' ? readJsonBody(request) : NOTHING)
      return responseFor(request, await answerMessage(host, endpoint, answer, { rest, caller, read }))
    }
    try {
      const handle = method && endpoint.methods?.[method]
      if (handle === undefined) throw methodNotAllowed(endpoint)
      if (endpoint.counted === true) host.admit(caller)
      return await handle({ service: host, request, caller, rest })
    } catch (error) {
      return responseFor(request, refusalAnswer(host, error, endpoint.path, caller))
    }
  }
}

/** Of a GET. */
export const NOTHING = new Uint8Array()

/** Any token is a method of somebody's. */
const methodOf = (name: string): Method | undefined => (name === 'GET' || name === 'POST' ? name : undefined)

export interface Arrived {
  readonly rest: string
  readonly caller: Caller
  /** @throws HandshakeError for a body that is none */
  readonly read: () => Awaitable<Uint8Array>
}

/** One message, from being counted to its answer, which a refusal is as well. */
export async function answerMessage<H extends Host>(
  host: H,
  { path, counted }: Pick<Endpoint<H>, 'path' | 'counted'>,
  answer: AnswerMessage<H>,
  { rest, caller, read }: Arrived,
): Promise<Answered> {
  try {
    if (counted === true) host.admit(caller)
    return await answer({ service: host, caller, rest, body: await read() })
  } catch (error) {
    return refusalAnswer(host, error, path, caller)
  }
}

/** Whether a path is the endpoint's. */
export const isAt = ({ path: own, below }: Pick<Endpoint, 'path' | 'below'>, path: string): boolean =>
  below === true ? path.startsWith(own) : path === own

/** Of which only the names count. */
type Methods = { readonly messages?: object; readonly methods?: object }

const methodsOf = ({ messages = {}, methods = {} }: Methods): string =>
  [...Object.keys(messages), ...Object.keys(methods), 'OPTIONS'].join(', ')

/** The private reason is what `Allow` says. */
const methodNotAllowed = (endpoint: Methods) =>
  refuse('malformed_message', methodsOf(endpoint), { rule: 'ATH-9', status: 405 })

function preflight(endpoint: Methods): Response {
  const headers = {
    'access-control-allow-methods': methodsOf(endpoint),
    'access-control-allow-headers': 'authorization, content-type, prefer',
    'access-control-max-age': '7200',
  }
  return withCommonHeaders(new Response(null, { status: 204, headers }))
}
