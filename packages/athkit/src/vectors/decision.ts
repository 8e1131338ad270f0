import type { JsonObject } from '../crypto/json.ts'
import { createScopeResult } from '../handshake/8-scope-result.ts'
import { type DecisionInput, decide } from '../handshake/decision.ts'

interface Input {
  readonly request: { readonly scopes: readonly string[]; readonly ttl?: number | null }
  readonly timestamp: number
  readonly supported: readonly string[]
  readonly token_max_ttl: number
  readonly policy: { readonly denied: readonly string[]; readonly max_ttl?: number | null }
  readonly restrictions: JsonObject
  readonly enforced: readonly string[]
  readonly credential: {
    readonly scopes: readonly string[]
    readonly expires_at: number
    readonly restrictions?: JsonObject | null
  }
  readonly confirmation: {
    readonly approved: boolean
    readonly approved_scopes?: readonly string[] | null
    readonly expires_at?: number | null
  } | null
}

/** decision.json: message 8 of everything it depends on (ATH-6.4). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const typed = input as unknown as Input
  const decision = decide(withAnswer(asked(typed), typed.confirmation))
  const m8 = createScopeResult({ decision, now: typed.timestamp })
  return {
    status: m8.scopes_granted.length > 0 ? 200 : 403,
    scopes_granted: m8.scopes_granted,
    denied: Object.fromEntries((m8.scopes_denied ?? []).map(({ scope, code }) => [scope, code])),
    ttl_granted: m8.ttl_granted,
    restrictions: m8.restrictions,
  }
}

const asked = (input: Input): DecisionInput => ({
  request: input.request,
  now: input.timestamp,
  supported: input.supported,
  tokenMaxTtl: input.token_max_ttl,
  policy: { denied: input.policy.denied, maxTtl: input.policy.max_ttl ?? undefined },
  restrictions: input.restrictions,
  enforced: input.enforced,
  credential: {
    scopes: input.credential.scopes,
    expiresAt: input.credential.expires_at,
    restrictions: input.credential.restrictions ?? {},
  },
})

/** Message 6 asks for what could be granted (ATH-6.3.3); an answer without a list approves all of that. */
function withAnswer(input: DecisionInput, confirmation: Input['confirmation']): DecisionInput {
  if (confirmation === null) return input
  const { approved, approved_scopes, expires_at } = confirmation
  const scopes = approved ? (approved_scopes ?? decide(input).granted) : []
  return { ...input, confirmation: { approved: scopes, expiresAt: expires_at ?? undefined } }
}
