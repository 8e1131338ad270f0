import { refuse } from '../errors.ts'
import type { Caller, ServiceEvent } from '../service/index.ts'
import type { Endpoint } from './endpoint.ts'
import { errorResponse, withCommonHeaders } from './respond.ts'

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
    try {
      const handle = endpoint.methods[request.method as 'GET' | 'POST']
      if (handle === undefined) throw methodNotAllowed(endpoint)
      if (endpoint.counted === true) host.admit(caller)
      return await handle({ service: host, request, caller, rest: path.slice(endpoint.path.length) })
    } catch (error) {
      return errorResponse(host, error, endpoint.path, caller)
    }
  }
}

/** Whether a path is the endpoint's. */
export const isAt = ({ path: own, below }: Pick<Endpoint, 'path' | 'below'>, path: string): boolean =>
  below === true ? path.startsWith(own) : path === own

/** Of which only the names count. */
type Methods = { readonly methods: object }

const methodsOf = ({ methods }: Methods): string => [...Object.keys(methods), 'OPTIONS'].join(', ')

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
