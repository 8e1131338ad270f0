import type { JsonObject } from '../crypto/json.ts'
import { refuse } from '../errors.ts'
import * as h from '../handshake/index.ts'

/** The names in `aud`: of servers, by DID or origin. */
export function audienceOf(credential: string | JsonObject): readonly string[] {
  const { aud } = h.claimsOf(credential)
  if (typeof aud === 'string') return [aud]
  return Array.isArray(aud) ? aud.filter((name): name is string => typeof name === 'string') : []
}

export function userOf(credential: string | JsonObject): string {
  const { iss, user_did } = h.claimsOf(credential)
  return String(user_did ?? iss)
}

/** A server that grants what the user never authorized is not one to talk to (ATH-6.4.1). */
export function checkWithinCredential(m8: h.ScopeResult, credential: string | JsonObject): void {
  const { scopes } = h.claimsOf(credential)
  if (Array.isArray(scopes) && m8.scopes_granted.every((scope) => scopes.includes(scope))) return
  throw refuse('malformed_message', 'scopes were granted beyond the credential', {
    rule: 'ATH-6.4.1',
    step: 'm8',
  })
}
