import type { JsonObject } from '../crypto/json.ts'
import { refuse } from '../errors.ts'
import { type Decision, type DecisionInput, decide } from '../handshake/index.ts'
import { joinRestrictions } from '../token/restrictions.ts'
import type { ServiceContext } from './context.ts'
import type { PolicyDecision } from './options.ts'

/** @throws HandshakeError `policy_denied` when the operator does not let this agent in */
export async function askPolicy(
  context: ServiceContext,
  did: string,
  info: JsonObject,
): Promise<PolicyDecision> {
  const decision = await context.policy({ did, info })
  if (decision.allow === true) return decision
  throw refuse('policy_denied', 'policy does not let this agent in', { rule: 'ATH-9' })
}

export interface Asked extends Pick<DecisionInput, 'request' | 'credential' | 'confirmation'> {
  readonly policy: PolicyDecision
  /** What the user was shown, which m8 never exceeds (ATH-6.4.1): its lifetime, and the service's restrictions that went into it. */
  readonly shown?: { readonly ttl: number | undefined; readonly restrictions: JsonObject }
}

/** The service's own restrictions for this client; `denied` when the operator's cannot be kept together. */
export function restrictionsFor(
  context: ServiceContext,
  policy: PolicyDecision,
  shown: JsonObject = {},
): JsonObject | 'denied' {
  const joined = joinRestrictions(context.restrictions, policy.restrictions ?? {}, context.enforced)
  return joined === 'denied' ? joined : joinRestrictions(joined, shown, context.enforced)
}

/** {@link decide} with what the service knows: its scopes, limits, policy and restrictions. */
export function decideNow(
  context: ServiceContext,
  { policy, shown, ...asked }: Asked,
  now: number,
): Decision {
  const restrictions = restrictionsFor(context, policy, shown?.restrictions)
  return decide({
    ...asked,
    now,
    supported: [...context.scopes.keys()],
    tokenMaxTtl: context.tokenMaxTtl,
    policy: { denied: policy.denied ?? [], maxTtl: least(policy.maxTtlSeconds, shown?.ttl) },
    // What cannot be kept together is a restriction that nobody enforces.
    ...(restrictions === 'denied'
      ? { restrictions: { impossible: true }, enforced: [] }
      : { restrictions, enforced: readable(context, asked.credential.restrictions) }),
  })
}

/** A budget that the user set in a way nobody can count by is one that nobody enforces. */
function readable(context: ServiceContext, restrictions: JsonObject): readonly string[] {
  return context.enforced.filter((name) => {
    const limit = Object.hasOwn(restrictions, name) ? restrictions[name] : undefined
    const budget = context.budgets.get(name)
    return budget === undefined || (limit ?? undefined) === undefined || budget.limitsOf(limit) !== undefined
  })
}

function least(...bounds: readonly (number | undefined)[]): number | undefined {
  const given = bounds.filter((bound) => bound !== undefined)
  return given.length === 0 ? undefined : Math.min(...given)
}

/**
 * Whether the user need not be asked (ATH-6.3.4): the operator says so for every scope that could be granted, and the credential
 * names this server or audience.
 */
export function mayConfirmWithoutUser(
  context: ServiceContext,
  granted: readonly string[],
  audience: string,
  credentialAudience: readonly string[] | undefined,
): boolean {
  const names = [context.identity.did, audience]
  const isBound = credentialAudience?.some((name) => names.includes(name)) === true
  return isBound && granted.every((scope) => context.scopes.get(scope)?.skipUserConfirmation === true)
}

/** Announced in m4: false where there is any scope for which the user may be skipped. */
export const requiresConfirmation = (context: ServiceContext): boolean =>
  ![...context.scopes.values()].some(({ skipUserConfirmation }) => skipUserConfirmation === true)
