import type { ServiceContext } from '../context.ts'
import { checkPolicyDocument, type Known } from './document.ts'
import type { Policy, PolicyDecision, PolicyDocument } from './policy.ts'
import { type CompiledPolicy, compile, decisionFor } from './rules.ts'

/** The policy in force. A reload replaces it whole; what is asked from then on sees the new one. */
export interface Policies {
  ask(client: Parameters<Policy>[0]): Promise<PolicyDecision>
  /** Whether a policy that is data does not let this agent in: known at once, for requests of sessions that it already has. */
  denies(did: string): boolean
  /** @throws TypeError for one that cannot be kept: the one in force stays */
  reload(policy: Policy | PolicyDocument): void
}

/** @throws TypeError that says what is wrong with the policy */
export function createPolicies(
  known: Known & Pick<ServiceContext, 'emit'>,
  first: Policy | PolicyDocument | undefined,
): Policies {
  let current = load(first ?? {})

  function load(policy: Policy | PolicyDocument): {
    readonly ask: Policy
    readonly document?: CompiledPolicy
  } {
    if (typeof policy === 'function') return { ask: policy }
    const checked = checkPolicyDocument(policy, known)
    for (const message of warningsOf(checked)) known.emit({ type: 'warning', message })
    const document = compile(checked, known.enforced)
    return { ask: ({ did }) => decisionFor(document, did), document }
  }

  return {
    ask: async (client) => checkDecision(await current.ask(client)),
    denies: (did) => current.document?.denies(did) === true,
    reload(policy) {
      current = load(policy)
      known.emit({ type: 'policy_reloaded' })
    },
  }
}

/** What an operator's function says is not believed in every shape: a lifetime that is none would bound nothing. */
function checkDecision(decision: PolicyDecision): PolicyDecision {
  const rules = [decision, ...Object.values(decision.scopes ?? {})]
  for (const { maxTtlSeconds } of rules) {
    if (maxTtlSeconds === undefined || (Number.isSafeInteger(maxTtlSeconds) && maxTtlSeconds >= 1)) continue
    throw new TypeError('policy: maxTtlSeconds is a whole number of seconds, at least 1')
  }
  return decision
}

function warningsOf(document: PolicyDocument): readonly string[] {
  const rules = [
    ['everyone', document.everyone] as const,
    ['others', document.others] as const,
    ...Object.entries(document.agents ?? {}),
  ]
  return rules.flatMap(([who, rule]) =>
    Object.entries(rule?.scopes ?? {})
      .filter(([, { skipUserConfirmation }]) => skipUserConfirmation === true)
      .map(
        ([scope]) =>
          `skipUserConfirmation: by policy for ${who}, users are not asked for ${scope} when their credential names this server`,
      ),
  )
}
