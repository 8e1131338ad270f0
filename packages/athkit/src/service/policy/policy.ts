import type { Awaitable } from '../../crypto/bytes.ts'
import type { JsonObject } from '../../crypto/json.ts'

/** The operator's word about an agent: asked when it has proven itself, and again at every decision and renewal. */
export type Policy = (client: {
  readonly did: string
  readonly info: JsonObject
}) => Awaitable<PolicyDecision>

export interface PolicyDecision {
  readonly allow: boolean
  /** `required`: an agent that the operator has not approved is not let in. */
  readonly approval?: 'required' | undefined
  /** Scopes that this agent does not get. */
  readonly denied?: readonly string[] | undefined
  /** Seconds: the longest grant. */
  readonly maxTtlSeconds?: number | undefined
  /** Beside those of the service; the stricter counts. */
  readonly restrictions?: JsonObject | undefined
  readonly scopes?: Readonly<Record<string, ScopeRule>> | undefined
}

/** What holds for a grant that has this scope among others. */
export interface ScopeRule {
  /** `false`: this scope is not granted. Whatever else says otherwise, a deny is the last word. */
  readonly allow?: boolean | undefined
  /**
   * `true`, a weakening: the user is not asked for it when their credential names this server (ATH-6.3.4). `false`: asked, whatever
   * else says otherwise.
   */
  readonly skipUserConfirmation?: boolean | undefined
  readonly maxTtlSeconds?: number | undefined
  readonly restrictions?: JsonObject | undefined
}

/** Policy as data, such as a file; every member may be left out. */
export interface PolicyDocument {
  readonly approval?: 'required' | undefined
  /** For every agent. */
  readonly everyone?: AgentRule | undefined
  /** By DID, beside what holds for everyone: the stricter of the two counts. */
  readonly agents?: Readonly<Record<string, AgentRule>> | undefined
  /** For agents that are not among these. */
  readonly others?: AgentRule | undefined
}

export interface AgentRule {
  /** `false`: it is not let in. */
  readonly allow?: boolean | undefined
  readonly maxTtlSeconds?: number | undefined
  readonly restrictions?: JsonObject | undefined
  readonly scopes?: Readonly<Record<string, ScopeRule>> | undefined
}

/** What a policy says of a scope; `denied` counts as a rule as well. */
export function ruleOf({ scopes = {}, denied = [] }: PolicyDecision, scope: string): ScopeRule {
  const rule = Object.hasOwn(scopes, scope) ? (scopes[scope] ?? {}) : {}
  return denied.includes(scope) ? { ...rule, allow: false } : rule
}

export const isDenied = (decision: PolicyDecision, scope: string): boolean =>
  ruleOf(decision, scope).allow === false

/** The shortest of lifetimes, undefined where nobody bounds it. */
export function shortest(...seconds: readonly (number | undefined)[]): number | undefined {
  const given = seconds.filter((each) => each !== undefined)
  return given.length === 0 ? undefined : Math.min(...given)
}

/** No beats yes, and yes beats silence. */
export function strictest(deny: boolean, ...said: readonly (boolean | undefined)[]): boolean | undefined {
  return said.includes(deny) ? deny : said.find((each) => each !== undefined)
}
