import { refuse } from '../errors.ts'
import type { Caller, Service } from '../service/index.ts'
import { confirmationEndpoints } from './confirmations.ts'
import { discovery } from './discovery.ts'
import type { Endpoint } from './endpoint.ts'
import { grantsEndpoint, revocationEndpoint } from './grants.ts'
import { handshakeEndpoints } from './handshake.ts'
import { inboxEndpoint } from './inbox.ts'
import { errorResponse, withCommonHeaders } from './respond.ts'
import { sealedEndpoint } from './sealed.ts'

/**
 * The service on HTTP (ATH-3): a request in, its response out, undefined where the path is none of ATH's. Where the request claims to
 * have been sent to — `Host`, its URL's origin — is never looked at (ATH-3.1).
 */
export type Handler = (request: Request, caller: Caller) => Promise<Response | undefined>

export function createHandler(service: Service): Handler {
  const { endpoints: at } = service
  const endpoints: readonly Endpoint[] = [
    sealedEndpoint(at.session_endpoint),
    ...handshakeEndpoints(at.handshake_endpoint),
    ...confirmationEndpoints(at.confirmation_endpoint),
    inboxEndpoint(at.inbox_endpoint),
    grantsEndpoint(at.grants_endpoint),
    revocationEndpoint(at.revocation_endpoint),
    discovery,
  ]
  return async (request, caller) => {
    const path = new URL(request.url).pathname
    const endpoint = endpoints.find(({ path: own, below }) =>
      below === true ? path.startsWith(own) : path === own,
    )
    if (endpoint === undefined) return undefined
    if (request.method === 'OPTIONS') return preflight(endpoint)
    try {
      const handle = endpoint.methods[request.method as 'GET' | 'POST']
      if (handle === undefined) throw methodNotAllowed(endpoint)
      if (endpoint.counted === true) service.admit(caller)
      return await handle({ service, request, caller, rest: path.slice(endpoint.path.length) })
    } catch (error) {
      return errorResponse(service, error, endpoint.path, caller)
    }
  }
}

const methodsOf = ({ methods }: Endpoint): string => [...Object.keys(methods), 'OPTIONS'].join(', ')

/** The private reason is what `Allow` says. */
const methodNotAllowed = (endpoint: Endpoint) =>
  refuse('malformed_message', methodsOf(endpoint), { rule: 'ATH-9', status: 405 })

function preflight(endpoint: Endpoint): Response {
  const headers = {
    'access-control-allow-methods': methodsOf(endpoint),
    'access-control-allow-headers': 'authorization, content-type, prefer',
    'access-control-max-age': '7200',
  }
  return withCommonHeaders(new Response(null, { status: 204, headers }))
}
