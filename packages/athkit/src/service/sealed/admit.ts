import { HandshakeError, refuse } from '../../errors.ts'
import type { CountResult, MarkResult, Operation, PutResult, Row } from '../../store/store.ts'
import type { AccessTokenClaims } from '../../token/access-token.ts'
import { formatRateLimit, type RateLimit } from '../../token/restrictions.ts'
import type { ServiceContext } from '../context.ts'
import { usedKey } from '../revocation/grants.ts'
import { windowEndsAt } from '../windows.ts'
import { confirm, isFirst } from './confirm.ts'
import { forsakeClaim, isUnknown } from './forsaken.ts'
import {
  type Claim,
  claimOperation,
  dropClaim,
  type HeldClaim,
  isKept,
  type KeptAnswer,
  releaseClaim,
  settleClaim,
} from './idempotency.ts'
import { restrictOf } from './restrict.ts'
import { type FoundKeys, forget, refresh, unknown } from './sessions.ts'

/** A request whose record 0 has opened, and what was found out about it without the store. */
export interface Candidate extends FoundKeys {
  readonly seq: number
  readonly address: string
  /** `undefined`: a business request. `end`: its own DELETE, which confirms nothing (ATH-3.6). */
  readonly own: 'keys' | 'token' | 'end' | undefined
  /** Head and timestamp, in the order of the checks; the token's is beside it. */
  readonly fault: HandshakeError | undefined
  readonly token: AccessTokenClaims | HandshakeError
  readonly claim: Claim | undefined
}

export interface Admitted {
  readonly claims: AccessTokenClaims
  readonly held?: HeldClaim
  /** The answer that an earlier copy got, which this one gets as well (ATH-7.7). */
  readonly kept?: KeptAnswer
}

/**
 * Marks the request as used and decides whether it may go on, in one atomic, durable operation of the store (ATH-7.6); what needs
 * no store was found out before and is judged behind it, in this order: replayed, session gone, revoked, policy, grant at its end, head,
 * timestamp, token, rate, network, time of day, `Idempotency-Key`.
 *
 * @throws HandshakeError of any of these; `session_unknown` is for outside the seal (ATH-7.11)
 */
export async function admit(context: ServiceContext, candidate: Candidate): Promise<Admitted> {
  const { claim } = candidate
  const { partition } = candidate.known
  let held: HeldClaim | undefined
  let marked: Marked | undefined
  try {
    marked = await mark(context, candidate)
    if (claim !== undefined && marked.claimed?.stored === true && marked.claimed.row !== undefined) {
      held = { ...claim, version: marked.claimed.row.version }
    }
    const claims = await judge(context, candidate, marked)
    if (claim === undefined || marked.claimed === undefined) return { claims }
    const settled = await settleClaim(context, claim, marked.claimed, claims.scope.split(' '))
    return isKept(settled) ? { claims, kept: settled } : { claims, held: settled }
  } catch (error) {
    if (held !== undefined) await releaseClaim(context, partition, held)
    else if (claim !== undefined && marked === undefined && isUnknown(error))
      forsakeClaim(context, partition, claim)
    else if (claim !== undefined) dropClaim(context, claim)
    throw error
  }
}

interface Marked {
  readonly counted: CountResult | undefined
  readonly claimed: PutResult | undefined
}

async function mark(context: ServiceContext, candidate: Candidate): Promise<Marked> {
  const { known, epoch, seq, own, fault, token } = candidate
  const now = context.now()
  const expiresAt = windowEndsAt(epoch.row)
  const operations: Operation[] = [
    { op: 'get', key: known.sessionKey, if: 'present', onRefusal: 'stop' },
    { op: 'mark', key: epoch.windowKey, seq, expiresAt, onRefusal: 'stop' },
    { op: 'get', key: known.grantKey, if: 'present', onRefusal: 'stop' },
  ]
  const limits = own === undefined ? limitsOf(candidate) : []
  const countAt = limits.length === 0 ? -1 : operations.length
  if (countAt > 0) {
    operations.push({ op: 'count', key: 'rate', limits, nowMs: context.nowMs(), onRefusal: 'stop' })
  }
  const isGood = fault === undefined && !(token instanceof HandshakeError)
  if (isGood && own === undefined && known.usedAt !== now) {
    const used = usedKey(known.grant.id)
    operations.push({ op: 'put', key: used, value: String(now), expiresAt: known.grant.expiresAt })
  }
  const claimAt = isGood && candidate.claim !== undefined ? operations.length : -1
  if (isGood && candidate.claim !== undefined) operations.push(claimOperation(context, candidate.claim))

  const outcome = await context.store.transact(known.partition, operations, now)
  const [session, window, grant] = outcome.results as readonly [Row?, MarkResult?, Row?]
  if (outcome.outcome !== 'done') {
    if (outcome.at === 1) throw replayed(window)
    if (outcome.at !== countAt) {
      forget(context, known.sid)
      throw unknown()
    }
  } else if (isGood && own === undefined) known.usedAt = now
  refresh(known, session as Row, grant as Row)
  return {
    counted: countAt < 0 ? undefined : (outcome.results[countAt] as CountResult),
    claimed: claimAt < 0 ? undefined : (outcome.results[claimAt] as PutResult | undefined),
  }
}

/** The token's own, which renewal can have made stricter; those of the grant where there is no token to go by. */
const limitsOf = ({ token, known }: Candidate) =>
  restrictOf(token instanceof HandshakeError ? known.grant.restrictions : token.restrictions).limits

async function judge(
  context: ServiceContext,
  candidate: Candidate,
  marked: Marked,
): Promise<AccessTokenClaims> {
  const { known, epoch, own, fault, token, address } = candidate
  const now = context.now()
  const { state, expiresAt, provisionalUntil } = known.grant
  if (state === 'ended' || (state === 'provisional' && provisionalUntil <= now)) throw unknown()
  if (state === 'revoked') throw refuse('grant_revoked', 'the grant was revoked', { rule: 'ATH-7.11' })
  if (context.policies.denies(known.grant.clientDid)) {
    throw refuse('policy_denied', 'policy does not let this agent in by now', { rule: 'ATH-9' })
  }
  if (expiresAt <= now) throw refuse('session_expired', 'the grant is at its end', { rule: 'ATH-7.11' })
  if (!known.epochs.has(epoch.row.epoch)) {
    throw refuse('session_expired', 'the epoch was dropped', { rule: 'ATH-7.9' })
  }
  if (fault !== undefined) throw fault
  if (token instanceof HandshakeError) throw token
  if (own !== 'end' && isFirst(known, epoch.row.epoch)) await confirm(context, known, epoch.row.epoch)
  if (own !== undefined) return token
  if (marked.counted?.admitted === false) throw tooMany(marked.counted.retryAfter, limitsOf(candidate))
  restrictOf(token.restrictions).check(address, now)
  return token
}

const replayed = (window: MarkResult | undefined) => {
  const nextSeq = window?.nextSeq
  const more = nextSeq === undefined ? {} : { nextSeq }
  return refuse('replayed', 'the sequence number was used', { rule: 'ATH-7.6', ...more })
}

function tooMany(retryAfter: number, limits: readonly RateLimit[]): HandshakeError {
  const hint = `rate_limit is ${formatRateLimit(limits)}; nothing of it is left for ${retryAfter} seconds.`
  return refuse('rate_limited', 'rate_limit of the grant', { rule: 'ATH-6.4.3', retryAfter, hint })
}
