import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createHandler, endpointsOf } from '../http/index.ts'
import {
  enforceRestriction,
  type Grant,
  grantOf as grantOfRequest,
  requireGrant,
  type Service,
} from '../service/index.ts'
import { innerRequestOf, toFetchHandler } from './inner-server.ts'
import { answerOnNode } from './node.ts'
import { refusalOn } from './node-guard.ts'

/**
 * ATH's endpoints as routes of a plugin, and behind the sealed one the app itself: an opened request is dispatched back into it.
 * `await app.register(athFastify, { service })`. Parsers of bodies that the app has do not reach these routes. Callers' addresses are
 * `request.ip`, so `trustProxy` counts.
 */
export async function athFastify(
  app: FastifyInstance,
  { service }: { readonly service: Service },
): Promise<void> {
  const handle = createHandler(service)
  service.setApplication(toFetchHandler((incoming, outgoing) => app.routing(incoming, outgoing)))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
  for (const { path, below } of endpointsOf(service)) {
    app.all(below === true ? `${path}*` : path, async ({ raw, ip: address }, reply) => {
      reply.hijack()
      await answerOnNode(handle, raw, reply.raw, { address, service })
    })
  }
}

/** The grant of a request that came sealed. */
export function grantOf({ raw }: FastifyRequest): Grant | undefined {
  const inner = innerRequestOf(raw)
  return inner && grantOfRequest(inner)
}

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/** An `onRequest` or `preHandler` hook that lets a request through that came sealed and whose grant has the scope (ATH-7.5, ATH-9). */
export const requireScope = (scope: string): Hook =>
  guard((inner) => {
    requireGrant(inner, scope)
  })

/**
 * A `preHandler` hook that keeps a restriction of the grant, such as `order_amount_limit` (ATH-6.4.3): `valueIn` says what this
 * request comes to. How it is judged against the limit is registered with the service, under the same name.
 */
export const enforce = (name: string, valueIn: (request: FastifyRequest) => unknown): Hook =>
  guard(async (inner, request) => enforceRestriction(inner, name, await valueIn(request)))

const guard =
  (check: (inner: Request, request: FastifyRequest) => void | Promise<void>): Hook =>
  async (request, reply) => {
    const refusal = await refusalOn(request.raw, (inner) => check(inner, request))
    if (refusal === undefined) return
    return reply
      .code(refusal.status)
      .headers(Object.fromEntries(refusal.headers))
      .send(await refusal.text())
  }
