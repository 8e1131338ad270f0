import type { JsonObject } from '../crypto/json.ts'
import { joinRestrictions } from '../token/restrictions.ts'

/** Why a scope is not granted; of several reasons the first of this list (ATH-6.4.1). */
export type DenialCode = 'unsupported' | 'credential' | 'policy' | 'restriction' | 'user'

const REASONS: Record<DenialCode, string> = {
  unsupported: 'This service does not offer it.',
  credential: 'The user has not authorized the agent to do it.',
  policy: 'The service does not allow this agent to do it.',
  restriction: 'The limits that the service and the user ask for cannot be kept together here.',
  user: 'The user did not approve it.',
}

export interface DeniedScope {
  readonly scope: string
  readonly reason: string
  readonly code: DenialCode
}

export interface Decision {
  readonly granted: readonly string[]
  readonly denied: readonly DeniedScope[]
  /** Seconds from `now`; 0 when nothing is granted. */
  readonly ttl: number
  /** undefined where there are none, or nothing is granted. */
  readonly restrictions: JsonObject | undefined
}

export interface DecisionInput {
  readonly request: { readonly scopes: readonly string[]; readonly ttl?: number | null | undefined }
  /** Unix seconds: `timestamp` of m8, from which lifetimes count. */
  readonly now: number
  readonly supported: readonly string[]
  /** Seconds. */
  readonly tokenMaxTtl: number
  readonly policy: { readonly denied: readonly string[]; readonly maxTtl?: number | undefined }
  /** The service's own, for this client. */
  readonly restrictions: JsonObject
  /** Names of the restrictions that somebody enforces here. */
  readonly enforced: readonly string[]
  readonly credential: {
    readonly scopes: readonly string[]
    readonly expiresAt: number
    readonly restrictions: JsonObject
    /** Whether its uses ran out since it was checked (ATH-6.2.1). */
    readonly usedUp?: boolean
  }
  /** The user's answer; undefined where nobody was asked, or not yet. */
  readonly confirmation?:
    | { readonly approved: readonly string[]; readonly expiresAt?: number | undefined }
    | undefined
}

/**
 * What is granted: requested ∩ supported ∩ credential ∩ policy ∩ restrictions that can be kept ∩ approved by the user, for the
 * shortest of all lifetimes, under the stricter of all restrictions (ATH-6.4). Without an answer it says what could be granted,
 * which is what m6 asks for (ATH-6.3.3).
 */
export function decide(input: DecisionInput): Decision {
  const joined = joinRestrictions(input.restrictions, input.credential.restrictions, input.enforced)
  const granted: string[] = []
  const denied: DeniedScope[] = []
  for (const scope of input.request.scopes) {
    const code = denialOf(scope, input, joined === 'denied')
    if (code === undefined) granted.push(scope)
    else denied.push({ scope, reason: REASONS[code], code })
  }
  if (granted.length === 0) return { granted, denied, ttl: 0, restrictions: undefined }
  const restrictions = joined === 'denied' || Object.keys(joined).length === 0 ? undefined : joined
  return { granted, denied, ttl: lifetime(input), restrictions }
}

function denialOf(scope: string, input: DecisionInput, restrictionsDeny: boolean): DenialCode | undefined {
  const { supported, credential, policy, confirmation, now } = input
  if (!supported.includes(scope)) return 'unsupported'
  if (credential.usedUp === true || !credential.scopes.includes(scope)) return 'credential'
  if (policy.denied.includes(scope)) return 'policy'
  if (restrictionsDeny) return 'restriction'
  if (confirmation === undefined) return undefined
  const ended = confirmation.expiresAt !== undefined && confirmation.expiresAt <= now
  return ended || !confirmation.approved.includes(scope) ? 'user' : undefined
}

/** The shortest of what each side allows, in seconds (ATH-6.4.2). */
function lifetime({ request, now, tokenMaxTtl, policy, credential, confirmation }: DecisionInput): number {
  return Math.min(
    request.ttl ?? Number.POSITIVE_INFINITY,
    tokenMaxTtl,
    policy.maxTtl ?? Number.POSITIVE_INFINITY,
    credential.expiresAt - now,
    (confirmation?.expiresAt ?? Number.POSITIVE_INFINITY) - now,
  )
}
