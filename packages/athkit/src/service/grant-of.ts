import type { Json, JsonObject } from '../crypto/json.ts'
import { type HandshakeError, refuse } from '../errors.ts'
import type { Budget, Spending } from './budget/index.ts'

/** What a sealed request is allowed to do; a handler reads it with {@link grantOf}. */
export interface Grant {
  readonly id: string
  readonly sid: string
  readonly clientDid: string
  readonly userDid: string
  /** The account that the user DID is enrolled for (ATH-4.7). */
  readonly account: string
  readonly audience: string
  readonly scopes: readonly string[]
  readonly restrictions: JsonObject
  /** Unix seconds. */
  readonly expiresAt: number
}

const grants = new WeakMap<Request, Grant>()

/** The grant of an inner request; undefined for a request that did not come through a session, whatever its headers say. */
export const grantOf = (request: Request): Grant | undefined => grants.get(request)

/** Only the session does this, once a request was opened, marked and checked. */
export function bindGrant(request: Request, grant: Grant): void {
  grants.set(request, grant)
}

/**
 * @throws HandshakeError `token_invalid` outside a session (tokens are never valid unsealed, ATH-7.5), `scope_denied` outside the
 *   grant
 */
export function requireGrant(request: Request, scope?: string): Grant {
  const grant = grantOf(request)
  if (grant === undefined) throw refuse('token_invalid', 'not a sealed request', { rule: 'ATH-7.5' })
  if (scope !== undefined && !grant.scopes.includes(scope)) {
    throw refuse('scope_denied', `${scope} is outside the grant`, { rule: 'ATH-9' })
  }
  if (scope !== undefined) required.set(request, [...requiredScopes(request), scope])
  return grant
}

const required = new WeakMap<Request, readonly string[]>()

/** What handlers asked of this request's grant: asked again before an answer kept under its `Idempotency-Key` is given (ATH-7.7). */
export const requiredScopes = (request: Request): readonly string[] => required.get(request) ?? []

/** Judges a value of a request against the limit that the grant carries; `true` lets it pass. */
export type Enforcer = (limit: JsonObject[string], value: unknown) => boolean

/** For limits that are numbers, such as `order_amount_limit`. */
export const atMost: Enforcer = (limit, value) =>
  typeof limit === 'number' &&
  typeof value === 'number' &&
  Number.isFinite(value) &&
  value >= 0 &&
  value <= limit

/** By the name of the restriction: who keeps it. */
export type Enforcers = ReadonlyMap<string, Enforcer | Budget>

const enforcersOf = new WeakMap<Request, Enforcers>()
const spendingOf = new WeakMap<Request, Spending>()

/** Only the service does this, where it hands an opened request to the application. */
export function bindEnforcers(request: Request, enforcers: Enforcers): void {
  enforcersOf.set(request, enforcers)
}

/** Only the session does this, for a request whose grant may have a budget. */
export function bindSpending(request: Request, spending: Spending): void {
  spendingOf.set(request, spending)
}

/**
 * A value of a request against the grant's restriction of that name, if it has one. A budget takes longer than a look:
 * {@link enforceRestriction} reserves.
 *
 * @throws HandshakeError `restriction_violated`, also where nobody is registered to judge it; `token_invalid` outside a session
 * @throws TypeError for a budget
 */
export function checkRestriction(request: Request, name: string, value: unknown): void {
  const limit = limitOf(request, name)
  if (limit === undefined) return
  const enforcer = enforcersOf.get(request)?.get(name)
  if (isBudget(enforcer))
    throw new TypeError(`${name} is a budget: await enforceRestriction(request, name, amount)`)
  if (enforcer?.(limit, value) === true) return
  const isPlain = ['number', 'string'].includes(typeof limit) && ['number', 'string'].includes(typeof value)
  const hint = isPlain
    ? `${name} is ${limit}; this request comes to ${value}.`
    : `${name} of the grant is exceeded.`
  throw refuse('restriction_violated', `${name} of the grant is exceeded`, { rule: 'ATH-6.4.3', hint })
}

/**
 * Keeps a restriction of the grant, before the handler acts: a value is judged, an amount is reserved from a budget. What was
 * reserved is spent when the answer's status is below 400, and given back when it is not, or the handler throws.
 *
 * @throws HandshakeError `restriction_violated`, `token_invalid` outside a session, `store_unavailable`
 */
export async function enforceRestriction(request: Request, name: string, value: unknown): Promise<void> {
  const enforcer = enforcersOf.get(request)?.get(name)
  if (!isBudget(enforcer)) return checkRestriction(request, name, value)
  const limit = limitOf(request, name)
  if (limit === undefined) return
  const spending = spendingOf.get(request)
  if (spending === undefined)
    throw refuse('restriction_violated', `${name}: nothing to reserve from`, { rule: 'ATH-6.4.3' })
  await spending.reserve(name, enforcer, limit, value)
}

/**
 * What the request has reserved is spent, whatever its answer will be: for handlers to call before a step that cannot be undone,
 * such as a payment, after which they might still fail.
 */
export function commitSpending(request: Request): void {
  spendingOf.get(request)?.commit()
}

/** undefined where the grant does not restrict it. */
function limitOf(request: Request, name: string): Json {
  const { restrictions } = requireGrant(request)
  return (Object.hasOwn(restrictions, name) ? restrictions[name] : undefined) ?? undefined
}

export const isBudget = (enforcer: Enforcer | Budget | undefined): enforcer is Budget =>
  typeof enforcer === 'object' && enforcer.kind === 'budget'

export const budgetsOf = (enforcers: Enforcers): ReadonlyMap<string, Budget> =>
  new Map(
    [...enforcers].flatMap(([name, enforcer]) => (isBudget(enforcer) ? [[name, enforcer] as const] : [])),
  )

const refusals = new WeakMap<Response, HandshakeError>()

/** ATH's own refusal as a response: sealing marks it `"ath": true` (ATH-7.4), and it is not kept under an `Idempotency-Key`. */
export function refusalResponse(error: HandshakeError, now: number): Response {
  const headers = new Headers({ 'content-type': 'application/json', 'cache-control': 'no-store' })
  if (error.retryAfter !== undefined) headers.set('retry-after', String(error.retryAfter))
  const response = new Response(JSON.stringify(error.toWire(now)), { status: error.code, headers })
  refusals.set(response, error)
  return response
}

/** The refusal that a response stands for; undefined for an answer of the application. */
export const refusalOf = (response: Response): HandshakeError | undefined => refusals.get(response)
