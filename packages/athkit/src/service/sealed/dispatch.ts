import { refuse } from '../../errors.ts'
import type { RequestHead } from '../../session/head.ts'
import type { AccessTokenClaims } from '../../token/access-token.ts'
import type { Spending } from '../budget/index.ts'
import type { ServiceContext } from '../context.ts'
import { bindGrant, bindSpending, type Grant, requiredScopes } from '../grant-of.ts'
import { LazySignalRequest } from '../lazy-signal.ts'
import type { GrantRow } from '../rows.ts'
import { type Answer, answerOf } from './answer.ts'

export interface Dispatched {
  readonly answer: Answer
  /** What handlers asked of the grant. */
  readonly scopes: readonly string[]
}

/** A body that is whole, or one that a route has asked to see as it comes. */
export type InnerBody = Uint8Array | ReadableStream<Uint8Array>

/**
 * Hands an admitted request to the application, as if it had come by itself: its origin is the audience, whatever the outer `Host`
 * said (ATH-7.4). It is aborted when the client goes away.
 *
 * @throws whatever the application throws; HandshakeError `malformed_message` for a method that no `Request` can have
 */
export async function dispatch(
  context: ServiceContext,
  { head, body, grant, claims, signal, spending }: Dispatchable,
): Promise<Dispatched> {
  const request = requestOf(grant.audience, head, body, signal)
  bindGrant(request, grantOf(grant, claims))
  if (spending !== undefined) bindSpending(request, spending)
  const response = await context.application(request)
  return { answer: answerOf(response, head.method), scopes: requiredScopes(request) }
}

export interface Dispatchable {
  readonly head: RequestHead
  readonly body: InnerBody
  readonly grant: GrantRow
  readonly claims: AccessTokenClaims
  readonly signal: () => AbortSignal
  readonly spending: Spending | undefined
}

function requestOf(origin: string, head: RequestHead, body: InnerBody, signal: () => AbortSignal): Request {
  const { method, path } = head
  const headers: [string, string][] = []
  for (const [name, value] of head.headers) if (!isAcceptEncoding(name)) headers.push([name, value])
  const isStream = !(body instanceof Uint8Array)
  const isBare = (!isStream && body.length === 0) || BARE.has(method.toUpperCase())
  try {
    if (isBare) return new LazySignalRequest(origin + path, { method, headers }, signal)
    const given = { method, headers, body: body as BodyInit }
    const streaming = { ...given, duplex: 'half' }
    return new LazySignalRequest(origin + path, isStream ? streaming : given, signal)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw refuse('malformed_message', 'no request can be made of the head', { rule: 'ATH-7.4', cause })
  }
}

/** A body has no meaning with them, and no `Request` takes one. */
const BARE = new Set(['GET', 'HEAD'])

/** It is dropped: nothing is compressed inside (ATH-7.4). */
const isAcceptEncoding = (name: string) => name.length === 15 && name.toLowerCase() === 'accept-encoding'

const granted = new WeakMap<AccessTokenClaims, Grant>()

/** The same for every request under one token. */
function grantOf(row: GrantRow, claims: AccessTokenClaims): Grant {
  const known = granted.get(claims)
  if (known !== undefined) return known
  const grant: Grant = {
    id: row.id,
    sid: row.id,
    clientDid: row.clientDid,
    userDid: row.userDid,
    account: row.account,
    audience: row.audience,
    scopes: claims.scope.split(' '),
    restrictions: claims.restrictions ?? {},
    expiresAt: row.expiresAt,
  }
  granted.set(claims, grant)
  return grant
}
