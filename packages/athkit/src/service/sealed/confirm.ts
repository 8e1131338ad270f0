import { refuse } from '../../errors.ts'
import type { Operation } from '../../store/store.ts'
import type { ServiceContext } from '../context.ts'
import { eraseReceipt } from '../handshakes.ts'
import { forgottenAt } from '../revocation/index-rows.ts'
import type { EpochRow, GrantRow, SessionRow } from '../rows.ts'
import { forget, type KnownSession, refresh, unknown } from './sessions.ts'

const MOST_TRIES = 20

/** Whether this request is the first valid one under its epoch, or of its session. */
export function isFirst(known: KnownSession, epoch: number): boolean {
  const row = known.session.epochs.find((candidate) => candidate.epoch === epoch)
  return known.grant.state === 'provisional' || row?.confirmedAt === undefined
}

/**
 * The first valid request under an epoch confirms it (ATH-7.9): older ones retire, others that were only issued are dropped. The
 * first of a session makes its grant a lasting one and its credential's use final, and erases the receipt that holds the token
 * (ATH-3.5, ATH-3.6). Written once; every later request finds it done.
 *
 * @throws HandshakeError `session_unknown`, `session_expired`, `grant_revoked` when that has come true in between
 */
export async function confirm(context: ServiceContext, known: KnownSession, epoch: number): Promise<void> {
  const { receiptIn } = known.session
  if (receiptIn !== undefined) await eraseReceipt(context, receiptIn)
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    if (!isFirst(known, epoch)) return
    const wasProvisional = known.grant.state === 'provisional'
    if (await write(context, known, epoch)) {
      const { id: grantId, clientDid, userDid } = known.grant
      const event = { type: 'session_confirmed', sid: known.sid, grantId, clientDid, userDid } as const
      if (wasProvisional) context.emit(event)
      return
    }
    await readAgain(context, known)
    // Another request has confirmed another epoch, and so dropped this one.
    if (!known.epochs.has(epoch))
      throw refuse('session_expired', 'the epoch was dropped', { rule: 'ATH-7.9' })
  }
  throw new Error('the session is written again and again')
}

async function write(context: ServiceContext, known: KnownSession, epoch: number): Promise<boolean> {
  const now = context.now()
  const session = confirmedSession(known.session, epoch, now, context.timeouts.rotationOverlap)
  const grant: GrantRow = { ...known.grant, state: 'live' }
  const expiresAt = forgottenAt(grant)
  const rows = [JSON.stringify(session), JSON.stringify(grant)] as const
  const { sessionVersion, grantVersion } = known
  const operations: Operation[] = [
    { op: 'put', key: known.sessionKey, value: rows[0], if: sessionVersion, expiresAt },
    { op: 'put', key: known.grantKey, value: rows[1], if: grantVersion, expiresAt },
  ]
  const { use } = grant
  if (use !== undefined && known.grant.state === 'provisional') {
    operations.push({ op: 'put', key: use.key, value: 'spent', expiresAt: use.until })
  }
  const outcome = await context.store.transact(known.partition, operations, now)
  if (outcome.outcome !== 'done') return false
  const [writtenSession, writtenGrant] = outcome.results as readonly {
    row: { value: string; version: number }
  }[]
  if (writtenSession !== undefined && writtenGrant !== undefined) {
    refresh(known, writtenSession.row, writtenGrant.row)
  }
  return true
}

function confirmedSession(session: SessionRow, epoch: number, now: number, overlap: number): SessionRow {
  const { receiptIn: _, ...rest } = session
  const epochs: EpochRow[] = []
  for (const row of session.epochs) {
    if (row.epoch === epoch) epochs.push(row.confirmedAt === undefined ? { ...row, confirmedAt: now } : row)
    else if (row.confirmedAt === undefined) continue
    else if (row.retiresAt === undefined) epochs.push({ ...row, retiresAt: now + overlap })
    else if (row.retiresAt > now) epochs.push(row)
  }
  return { ...rest, epochs }
}

/**
 * What the store says now, after somebody else wrote first.
 *
 * @throws HandshakeError `session_unknown`, `grant_revoked`
 */
export async function readAgain(context: ServiceContext, known: KnownSession): Promise<void> {
  const { results } = await context.store.transact(
    known.partition,
    [
      { op: 'get', key: known.sessionKey },
      { op: 'get', key: known.grantKey },
    ],
    context.now(),
  )
  const [session, grant] = results
  if (session === undefined || grant === undefined) {
    forget(context, known.sid)
    throw unknown()
  }
  refresh(known, session, grant)
  if (known.grant.state === 'ended') throw unknown()
  if (known.grant.state === 'revoked')
    throw refuse('grant_revoked', 'revoked meanwhile', { rule: 'ATH-7.11' })
}
