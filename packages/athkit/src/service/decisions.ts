import type { Awaitable } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import { type HandshakeError, refuse } from '../errors.ts'
import { type Decision, type DecisionInput, decide } from '../handshake/index.ts'
import { joinRestrictions } from '../token/restrictions.ts'
import { type ApprovalRow, approvalOf, waitForApproval } from './agents/approvals.ts'
import type { ServiceContext } from './context.ts'
import { isDenied, type PolicyDecision, ruleOf, shortest, strictest } from './policy/index.ts'

/**
 * What the operator says of an agent that has proven itself: policy, and approval. A deny is the last word, and so is a suspension.
 *
 * @throws HandshakeError `policy_denied` when the operator does not let this agent in
 */
export const askPolicy = (context: ServiceContext, did: string, info: JsonObject): Promise<PolicyDecision> =>
  askPolicyOf(context, { did, info, approval: approvalOf(context, did) })

export interface Asker {
  readonly did: string
  readonly info: JsonObject
  readonly approval: Awaitable<ApprovalRow | undefined>
}

/** {@link askPolicy}, where the operator's word was read just now, or is on its way. */
export async function askPolicyOf(
  context: ServiceContext,
  { did, info, approval: word }: Asker,
): Promise<PolicyDecision> {
  const [decision, approval] = await Promise.all([context.policies.ask({ did, info }), word])
  mustAllow(decision)
  if (approval?.state === 'suspended') throw denied('the operator has suspended this agent')
  if (decision.approval === 'required' && approval?.state !== 'approved') {
    if (approval === undefined) await waitForApproval(context, did, info)
    throw denied('the operator has not approved this agent')
  }
  return decision
}

/**
 * Whether policy still lets in what m8 granted, before a token is made of it. A suspension is looked for by the transaction that
 * enters the grant (`index-rows.ts`), so the store is not asked here.
 *
 * @throws HandshakeError `policy_denied`
 */
export async function checkPolicyAgain(
  context: ServiceContext,
  did: string,
  info: JsonObject,
  granted: readonly string[],
): Promise<void> {
  const decision = await context.policies.ask({ did, info })
  mustAllow(decision)
  const scope = granted.find((each) => isDenied(decision, each))
  if (scope !== undefined) throw denied(`policy denies ${scope} by now`)
  if (decision.approval === 'required') await askPolicy(context, did, info)
}

function mustAllow({ allow }: PolicyDecision): void {
  if (allow !== true) throw denied('policy does not let this agent in')
}

const denied = (reason: string): HandshakeError => refuse('policy_denied', reason, { rule: 'ATH-9' })

export interface Asked extends Pick<DecisionInput, 'request' | 'credential' | 'confirmation'> {
  readonly policy: PolicyDecision
  /** What the user was shown, which m8 never exceeds (ATH-6.4.1): its lifetime, and the service's restrictions that went into it. */
  readonly shown?: { readonly ttl: number | undefined; readonly restrictions: JsonObject }
}

/** The service's own restrictions of a grant with these scopes for this client; `denied` when they cannot be kept together. */
export function restrictionsFor(
  context: ServiceContext,
  policy: PolicyDecision,
  scopes: readonly string[],
  ...more: readonly JsonObject[]
): JsonObject | 'denied' {
  const ofScopes = scopes.map((scope) => ruleOf(policy, scope).restrictions ?? {})
  return [policy.restrictions ?? {}, ...ofScopes, ...more].reduce<JsonObject | 'denied'>(
    (joined, next) => (joined === 'denied' ? joined : joinRestrictions(joined, next, context.enforced)),
    context.restrictions,
  )
}

/** Seconds: the longest that policy allows a grant with these scopes. */
export const longestFor = (policy: PolicyDecision, scopes: readonly string[]): number | undefined =>
  shortest(policy.maxTtlSeconds, ...scopes.map((scope) => ruleOf(policy, scope).maxTtlSeconds))

/**
 * {@link decide} with what the service knows: its scopes, limits, policy and restrictions. What policy says of a scope bounds the
 * whole grant that has it, and no other, so it is decided first which scopes there would be.
 */
export function decideNow(
  context: ServiceContext,
  { request, credential, confirmation, policy, shown }: Asked,
  now: number,
): Decision {
  const supported = [...context.scopes.keys()]
  const deciding = (scopes: readonly string[]) => {
    const restrictions = restrictionsFor(context, policy, scopes, shown?.restrictions ?? {})
    // What cannot be kept together is a restriction that nobody enforces.
    const isImpossible = restrictions === 'denied'
    return decide({
      request,
      credential,
      confirmation,
      now,
      supported,
      tokenMaxTtl: context.tokenMaxTtl,
      policy: {
        denied: supported.filter((scope) => isDenied(policy, scope)),
        maxTtl: shortest(longestFor(policy, scopes), shown?.ttl),
      },
      restrictions: isImpossible ? { impossible: true } : restrictions,
      enforced: isImpossible ? [] : readable(context, credential.restrictions),
    })
  }
  const first = deciding([])
  return first.granted.some((scope) => isBound(policy, scope)) ? deciding(first.granted) : first
}

/** Whether policy says anything about a grant because this scope is in it. */
function isBound(policy: PolicyDecision, scope: string): boolean {
  const { restrictions, maxTtlSeconds } = ruleOf(policy, scope)
  return Object.keys(restrictions ?? {}).length > 0 || maxTtlSeconds !== undefined
}

/** A budget that the user set in a way nobody can count by is one that nobody enforces. */
function readable(context: ServiceContext, restrictions: JsonObject): readonly string[] {
  return context.enforced.filter((name) => {
    const limit = Object.hasOwn(restrictions, name) ? restrictions[name] : undefined
    const budget = context.budgets.get(name)
    return budget === undefined || (limit ?? undefined) === undefined || budget.limitsOf(limit) !== undefined
  })
}

/** Whether the operator lets the user be skipped for a scope: neither the service nor its policy says that they are asked. */
const isSkipped = (context: ServiceContext, policy: PolicyDecision, scope: string): boolean =>
  strictest(
    false,
    context.scopes.get(scope)?.skipUserConfirmation,
    ruleOf(policy, scope).skipUserConfirmation,
  ) === true

/**
 * Whether the user need not be asked (ATH-6.3.4): the operator says so for every scope that could be granted, and the credential
 * names this server or audience.
 */
export function mayConfirmWithoutUser(
  context: ServiceContext,
  policy: PolicyDecision,
  granted: readonly string[],
  audience: string,
  credentialAudience: readonly string[] | undefined,
): boolean {
  const names = [context.identity.did, audience]
  const isBound = credentialAudience?.some((name) => names.includes(name)) === true
  return isBound && granted.every((scope) => isSkipped(context, policy, scope))
}

/** Announced in m4: false where there is any scope for which the user may be skipped. */
export const requiresConfirmation = (context: ServiceContext, policy: PolicyDecision): boolean =>
  ![...context.scopes.keys()].some((scope) => isSkipped(context, policy, scope) && !isDenied(policy, scope))
