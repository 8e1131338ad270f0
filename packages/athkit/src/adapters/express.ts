import type { IncomingMessage, ServerResponse } from 'node:http'
import { createHandler, endpointsOf, isAt } from '../http/index.ts'
import {
  enforceRestriction,
  type Grant,
  grantOf as grantOfRequest,
  requireGrant,
  type Service,
} from '../service/index.ts'
import { innerRequestOf, type NodeListener, toFetchHandler } from './inner-server.ts'
import { answerOnNode } from './node.ts'
import { refusalOn } from './node-guard.ts'
import { pathOf } from './node-request.ts'
import { sendResponse } from './node-response.ts'

/** Of Express's own request, what is needed here. */
export interface ExpressRequest extends IncomingMessage {
  readonly originalUrl: string
  readonly ip?: string | undefined
}

export type ExpressHandler<R extends ExpressRequest = ExpressRequest> = (
  request: R,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * ATH's endpoints, and behind the sealed one the app itself: an opened request is dispatched back into it. Mount it first, before any
 * parser of bodies: `app.use(athExpress(service, app))`. Callers' addresses are `req.ip`, so `trust proxy` counts.
 */
export function athExpress(service: Service, app: NodeListener): ExpressHandler {
  const handle = createHandler(service)
  const endpoints = endpointsOf(service)
  service.setApplication(toFetchHandler(app))
  return (request, response, next) => {
    const { originalUrl: target, ip: address } = request
    const path = pathOf(target)
    const isOurs = path !== undefined && endpoints.some((endpoint) => isAt(endpoint, path))
    if (!isOurs || innerRequestOf(request) !== undefined) return next()
    if (request.readableDidRead) return next(new Error(`athkit: ${ALREADY_READ}`))
    answerOnNode(handle, request, response, { target, address, service }).catch(next)
  }
}

const ALREADY_READ =
  'another middleware has read the body of a message; app.use(athExpress(…)) must come before it'

/** The grant of a request that came sealed. */
export function grantOf(request: IncomingMessage): Grant | undefined {
  const inner = innerRequestOf(request)
  return inner && grantOfRequest(inner)
}

/** Lets a request through that came sealed and whose grant has the scope (ATH-7.5, ATH-9). */
export const requireScope = (scope: string): ExpressHandler =>
  guard((request) => {
    requireGrant(request, scope)
  })

/**
 * Keeps a restriction of the grant, such as `order_amount_limit` (ATH-6.4.3): `valueIn` says what this request comes to. How it is
 * judged against the limit is registered with the service, under the same name.
 */
export const enforce = <R extends ExpressRequest>(
  name: string,
  valueIn: (request: R) => unknown,
): ExpressHandler<R> =>
  guard<R>(async (inner, request) => enforceRestriction(inner, name, await valueIn(request)))

const guard =
  <R extends ExpressRequest>(
    check: (inner: Request, request: R) => void | Promise<void>,
  ): ExpressHandler<R> =>
  (request, response, next) => {
    refusalOn(request, (inner) => check(inner, request))
      .then((refusal) => (refusal === undefined ? next() : sendResponse(refusal, response)))
      .catch(next)
  }
