import type { JsonObject } from '../../crypto/json.ts'
import { refuse } from '../../errors.ts'
import { createScopeResult, type Decision, type ScopeRequest } from '../../handshake/index.ts'
import type { ServiceContext } from '../context.ts'
import { type Asked, decideNow } from '../decisions.ts'
import type { ServiceEvent } from '../events.ts'
import type { HandshakeState, UserOfHandshake } from '../handshake-state.ts'
import type { PolicyDecision } from '../policy/index.ts'
import { reserveUse } from '../uses.ts'
import type { Step } from './step.ts'

export interface DecidedBy {
  readonly policy: PolicyDecision
  /** Unix seconds: lifetimes count from then. */
  readonly at: number
  /** What is granted where nobody is asked, decided at the same moment. */
  readonly could?: Decision
  /** The user's answer, where one was asked for. */
  readonly confirmation?: {
    readonly approved: readonly string[]
    readonly expiresAt?: number | undefined
    /** H(m7). */
    readonly hash: string
  }
}

type Requested = HandshakeState & {
  readonly user: UserOfHandshake
  readonly m5: { readonly message: JsonObject }
}

/**
 * m8 (ATH-6.4). A credential with `max_uses` has a use reserved with it; none left by now denies by code `credential`.
 *
 * @throws HandshakeError `credential_expired`: lifetimes count from now
 */
export async function decideScopes(
  context: ServiceContext,
  state: Requested,
  { policy, at: now, could, confirmation }: DecidedBy,
): Promise<Step> {
  const { user, asking, m5 } = state
  if (user.expiresAt <= now) {
    throw refuse('credential_expired', 'the credential ended before m8', { rule: 'ATH-6.2.1', step: 'm8' })
  }
  const asked: Asked = {
    request: m5.message as ScopeRequest,
    credential: user,
    policy,
    confirmation,
    ...(asking === undefined
      ? {}
      : { shown: { ttl: asking.question.ttl ?? undefined, restrictions: asking.restrictions } }),
  }
  const decision = await withUse(context, state, could ?? decideNow(context, asked, now), asked, now)
  const named = confirmation === undefined || asking === undefined ? undefined : confirmation.hash
  const body = createScopeResult({
    decision,
    confirmation: named === undefined ? undefined : { request: asking?.questionHash ?? '', response: named },
    now,
  })
  const granted = decision.granted.length > 0
  const answer = { status: granted ? 200 : 403, body }
  const phase = granted ? 'keys' : 'ended'
  const next: HandshakeState = { ...state, phase, advancedAt: now, m5: { message: m5.message, answer } }
  return { state: next, answer, events: [decided(state, decision)] }
}

/** Reserves a use of the credential for what is granted; where none is left the decision is made again without one. */
async function withUse(
  context: ServiceContext,
  { id: handshakeId, user, m1 }: Requested,
  decision: Decision,
  asked: Asked,
  now: number,
): Promise<Decision> {
  const { maxUses, userDid, credentialId, expiresAt: credentialExpiresAt } = user
  if (maxUses === undefined || decision.granted.length === 0) return decision
  const until = now + context.timeouts.handshake + 1
  const of = { clientDid: m1.client_did, userDid, credentialId, handshakeId }
  const reserved = await reserveUse(context, { ...of, maxUses, until, credentialExpiresAt })
  if (reserved) return decision
  return decideNow(context, { ...asked, credential: { ...asked.credential, usedUp: true } }, now)
}

const decided = ({ id, m1, user }: Requested, { granted, denied }: Decision): ServiceEvent => ({
  type: 'scopes_decided',
  handshakeId: id,
  clientDid: m1.client_did,
  userDid: user.userDid,
  credentialId: user.credentialId,
  granted,
  denied: denied.map(({ scope, code }) => ({ scope, code })),
})
