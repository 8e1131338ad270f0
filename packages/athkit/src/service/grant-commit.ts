import { refuse } from '../errors.ts'
import type { Operation } from '../store/store.ts'
import type { ServiceContext } from './context.ts'
import type { Completion } from './handshake-state.ts'
import { record } from './record.ts'
import { forgottenAt, indexGrant, notRevoked } from './revocation/index-rows.ts'
import { pairPartition } from './rows.ts'
import { openWindow } from './windows.ts'

/**
 * Commits a grant and its session into the partition of their pair, in one transaction that also looks for a revocation
 * (ATH-6.2.1). It may be called again, on any node, whenever m9b is about to be answered: the grant's own row says that it was
 * done, and an ended one is never made anew.
 *
 * @throws HandshakeError `credential_revoked`, `credential_expired`, `policy_denied`; `credential_invalid` where the use that was reserved
 *   has lapsed, for another handshake may have had it since
 */
export async function commitGrant(context: ServiceContext, { grant, session }: Completion): Promise<void> {
  const now = context.now()
  const partition = await pairPartition(grant.clientDid, grant.userDid)
  if (grant.credentialExpiresAt !== undefined && grant.credentialExpiresAt <= now) {
    throw refuse('credential_expired', 'the credential ended before m9b', { rule: 'ATH-6.2.1', step: 'm9b' })
  }
  // Behind the state, never beside it: of two nodes that race, only the one whose state counts may be found by the question's name.
  const indexed = await indexGrant(context, grant, partition)
  if (indexed === 'revoked') throw revoked()
  if (indexed === 'suspended') {
    throw refuse('policy_denied', 'the agent was suspended before m9b', { rule: 'ATH-9', step: 'm9b' })
  }
  const { use } = grant
  const guards: Operation[] = [...notRevoked(grant)]
  const useAt = use === undefined ? -1 : guards.push({ op: 'get', key: use.key, if: 'present' })
  const expiresAt = forgottenAt(grant)
  const operations: Operation[] = [
    {
      op: 'put',
      key: `grant:${grant.id}`,
      value: JSON.stringify(grant),
      if: 'absent',
      expiresAt,
      onRefusal: 'stop',
    },
    ...guards,
    { op: 'put', key: `session:${session.sid}`, value: JSON.stringify(session), expiresAt },
    ...session.epochs.map((epoch) => openWindow(session.sid, epoch)),
  ]
  if (use !== undefined) {
    operations.push({ op: 'put', key: use.key, value: 'reserved', expiresAt: grant.provisionalUntil })
  }
  const issued = {
    type: 'token_issued',
    handshakeId: grant.handshakeId,
    grantId: grant.id,
    sid: session.sid,
    clientDid: grant.clientDid,
    userDid: grant.userDid,
  } as const
  const committed = await record(context, partition, operations, [issued])
  if (committed.outcome !== 'aborted') return
  if (committed.at === useAt) {
    throw refuse('credential_invalid', 'the reserved use has lapsed', { rule: 'ATH-6.2.1', step: 'm9b' })
  }
  throw revoked()
}

/** Whether it was committed before: what came of it since, a revocation included, changes nothing about a receipt (ATH-3.5). */
export async function isCommitted(context: ServiceContext, { grant }: Completion): Promise<boolean> {
  const partition = await pairPartition(grant.clientDid, grant.userDid)
  const { results } = await context.store.transact(
    partition,
    [{ op: 'get', key: `grant:${grant.id}` }],
    context.now(),
  )
  return results[0] !== undefined
}

const revoked = () =>
  refuse('credential_revoked', 'the credential was revoked before m9b', { rule: 'ATH-6.2.1', step: 'm9b' })
