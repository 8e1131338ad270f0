/**
 * Step 8 · the service answers: what is granted, what is denied and why, for how long, under which restrictions (ATH-6.4).
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import { refuse } from '../errors.ts'
import type { ServiceMetadata } from './4-identity-result.ts'
import type { ScopeRequest } from './5-scope-request.ts'
import type { Decision } from './decision.ts'
import { checkTimestamp, duration, object, optional, scopes, shaped, time } from './shape.ts'

export const ScopeResult = v.object({
  type: v.literal('scope_result'),
  scopes_granted: scopes,
  scopes_denied: optional(
    v.array(v.object({ scope: v.string(), reason: optional(v.string()), code: optional(v.string()) })),
  ),
  ttl_granted: duration,
  restrictions: optional(object),
  confirmation: optional(v.object({ request: v.string(), response: v.string() })),
  timestamp: time,
})
export type ScopeResult = v.InferOutput<typeof ScopeResult> & JsonObject

export interface ScopeResultOptions {
  readonly decision: Decision
  /** H(m6) and H(m7), where the user was asked. */
  readonly confirmation?: { readonly request: string; readonly response: string } | undefined
  /** Unix seconds: lifetimes count from here (ATH-6.4.2); the same `now` that was decided at. */
  readonly now: number
}

export function createScopeResult({ decision, confirmation, now }: ScopeResultOptions): ScopeResult {
  return {
    type: 'scope_result',
    scopes_granted: [...decision.granted],
    scopes_denied: decision.denied.map(({ scope, reason, code }) => ({ scope, reason, code })),
    ttl_granted: decision.ttl,
    ...(decision.restrictions === undefined ? {} : { restrictions: decision.restrictions }),
    ...(confirmation === undefined
      ? {}
      : { confirmation: { request: confirmation.request, response: confirmation.response } }),
    timestamp: now,
  }
}

export interface ScopeResultExpectation {
  readonly request: ScopeRequest
  readonly metadata: ServiceMetadata
  /** H(m6) that the 202 named, when the client was told to wait. */
  readonly confirmationRequest?: string | undefined
  /** Unix seconds. */
  readonly now: number
}

/**
 * The client's checks: nothing beyond what it asked for, no longer than announced, and the question that the user answered is
 * the one it was told of. A grant of fewer scopes, or of none, is a result, not an error.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`
 */
export function verifyScopeResult(message: Json, expected: ScopeResultExpectation): ScopeResult {
  const result: ScopeResult = shaped(ScopeResult, message, 'm8')
  checkTimestamp(result.timestamp, expected.now, 'm8')
  const { request, metadata, confirmationRequest } = expected
  if (!result.scopes_granted.every((scope) => request.scopes.includes(scope))) {
    throw refused('scopes were granted that were not asked for', 'ATH-6.4.1')
  }
  if ((result.scopes_denied ?? []).some(({ scope }) => result.scopes_granted.includes(scope))) {
    throw refused('a scope is both granted and denied', 'ATH-6.4.1')
  }
  if (
    result.ttl_granted >
    Math.min(request.ttl ?? Number.POSITIVE_INFINITY, metadata.tokenMaxTtl ?? Number.POSITIVE_INFINITY)
  ) {
    throw refused('the grant is longer than asked for or announced', 'ATH-6.4.2')
  }
  if (result.scopes_granted.length > 0 !== result.ttl_granted > 0)
    throw refused('scopes and lifetime contradict', 'ATH-6.4.1')
  if (confirmationRequest !== undefined && result.confirmation?.request !== confirmationRequest) {
    throw refused('the user answered another question than the one announced', 'ATH-6.4.1')
  }
  return result
}

const refused = (reason: string, rule: string) => refuse('malformed_message', reason, { rule, step: 'm8' })
