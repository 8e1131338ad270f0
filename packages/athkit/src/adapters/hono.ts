import type { Context, MiddlewareHandler } from 'hono'
import { HandshakeError } from '../errors.ts'
import { createHandler } from '../http/index.ts'
import { enforceRestriction, grantOf, refusalResponse, requireGrant, type Service } from '../service/index.ts'

/** What stands in `env` of `app.fetch(request, env)`: `toNodeListener` gives it, and so does anybody who knows the peer. */
export interface AthEnv {
  readonly address?: string
}

/**
 * ATH's endpoints, and behind the sealed one the app itself: an opened request is dispatched back into it. Mount it first:
 * `app.use(athHono(service, app))`.
 */
export function athHono(
  service: Service,
  app: { fetch(request: Request): Response | Promise<Response> },
): MiddlewareHandler {
  const handle = createHandler(service)
  service.setApplication((request) => app.fetch(request))
  return async (context, next) => {
    const { raw } = context.req
    if (grantOf(raw) !== undefined) return next()
    const response = await handle(raw, { address: addressOf(context) })
    return response ?? next()
  }
}

const addressOf = (context: Context): string => (context.env as AthEnv | undefined)?.address ?? 'unknown'

/** Lets a request through that came sealed and whose grant has the scope (ATH-7.5, ATH-9). */
export function requireScope(scope: string): MiddlewareHandler {
  return guard((request) => {
    requireGrant(request, scope)
  })
}

/**
 * Keeps a restriction of the grant, such as `order_amount_limit` (ATH-6.4.3): `valueIn` says what this request comes to. How it is
 * judged against the limit, or reserved from a budget, is registered with the service, under the same name.
 */
export function enforce(
  name: string,
  valueIn: (request: Request, context: Context) => unknown,
): MiddlewareHandler {
  return guard(async (request, context) => enforceRestriction(request, name, await valueIn(request, context)))
}

function guard(check: (request: Request, context: Context) => void | Promise<void>): MiddlewareHandler {
  return async (context, next) => {
    try {
      await check(context.req.raw, context)
    } catch (error) {
      if (error instanceof HandshakeError) return refusalResponse(error, Math.floor(Date.now() / 1000))
      throw error
    }
    return next()
  }
}
