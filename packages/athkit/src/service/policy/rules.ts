import type { JsonObject } from '../../crypto/json.ts'
import { joinRestrictions } from '../../token/restrictions.ts'
import {
  type AgentRule,
  type PolicyDecision,
  type PolicyDocument,
  type ScopeRule,
  shortest,
  strictest,
} from './policy.ts'

/** What a document says of one agent: the stricter of what holds for everyone and of what holds for it. */
export function decisionFor(document: CompiledPolicy, did: string): PolicyDecision {
  const rules = document.rulesOf(did)
  const scopes = new Set(rules.flatMap(({ scopes = {} }) => Object.keys(scopes)))
  return {
    allow: rules.every(({ allow }) => allow !== false),
    approval: document.approval,
    maxTtlSeconds: shortest(...rules.map(({ maxTtlSeconds }) => maxTtlSeconds)),
    restrictions: merged(rules, document.enforced),
    scopes: Object.fromEntries(
      [...scopes].map((scope) => [scope, scopeRule(rules, scope, document.enforced)]),
    ),
  }
}

export interface CompiledPolicy {
  readonly approval: 'required' | undefined
  readonly enforced: readonly string[]
  rulesOf(did: string): readonly AgentRule[]
  /** Asked with every request, so it makes nothing. */
  denies(did: string): boolean
}

export function compile(document: PolicyDocument, enforced: readonly string[]): CompiledPolicy {
  const agents = new Map(Object.entries(document.agents ?? {}))
  const { everyone, others, approval } = document
  return {
    approval,
    enforced,
    rulesOf: (did) => [everyone, agents.get(did) ?? others].filter((rule) => rule !== undefined),
    denies: (did) => everyone?.allow === false || (agents.get(did) ?? others)?.allow === false,
  }
}

function scopeRule(rules: readonly AgentRule[], scope: string, enforced: readonly string[]): ScopeRule {
  const about = rulesAbout(rules, scope)
  return {
    allow: strictest(false, ...about.map(({ allow }) => allow)),
    skipUserConfirmation: strictest(false, ...about.map((rule) => rule.skipUserConfirmation)),
    maxTtlSeconds: shortest(...about.map(({ maxTtlSeconds }) => maxTtlSeconds)),
    restrictions: merged(about, enforced),
  }
}

const rulesAbout = (rules: readonly AgentRule[], scope: string): readonly ScopeRule[] =>
  rules.flatMap(({ scopes = {} }) => (Object.hasOwn(scopes, scope) ? [scopes[scope] as ScopeRule] : []))

interface Restricting {
  readonly restrictions?: JsonObject | undefined
}

/** Of rules that were checked together: they can be kept. */
function merged(rules: readonly Restricting[], enforced: readonly string[]): JsonObject {
  const joined = join(rules, enforced)
  if (joined === 'denied') throw new Error('a policy that was checked cannot be kept')
  return joined
}

const join = (rules: readonly Restricting[], enforced: readonly string[]) =>
  rules.reduce<JsonObject | 'denied'>(
    (joined, { restrictions = {} }) =>
      joined === 'denied' ? joined : joinRestrictions(joined, restrictions, enforced),
    {},
  )

/** Those of the service and of all the rules, for a grant of this scope, or for any grant. */
export function restrictionsIn(
  known: { readonly restrictions: JsonObject; readonly enforced: readonly string[] },
  rules: readonly AgentRule[],
  scope: string | undefined,
): JsonObject | 'denied' {
  const about = scope === undefined ? [] : rulesAbout(rules, scope)
  return join([known, ...rules, ...about], known.enforced)
}
