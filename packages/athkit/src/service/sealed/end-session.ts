import type { Operation } from '../../store/store.ts'
import type { ServiceContext } from '../context.ts'
import { eraseReceipt } from '../handshakes.ts'
import { record } from '../record.ts'
import { forgottenAt } from '../revocation/index-rows.ts'
import type { GrantRow } from '../rows.ts'
import { readAgain } from './confirm.ts'
import { forget, type KnownSession } from './sessions.ts'
import { nodeState } from './state.ts'

const MOST_TRIES = 20

/**
 * Inner `DELETE /ath/session` (ATH-7.10): the session and its grant end, the keys are erased, open streams are cut. While the session
 * was provisional the credential's use is given back (ATH-3.6).
 *
 * @throws HandshakeError `session_unknown` when another request has ended it first
 */
export async function endSession(context: ServiceContext, known: KnownSession): Promise<void> {
  const { receiptIn } = known.session
  if (receiptIn !== undefined) await eraseReceipt(context, receiptIn)
  for (let tries = 0; ; tries++) {
    if (await write(context, known)) break
    if (tries >= MOST_TRIES) throw new Error('the session is written again and again')
    await readAgain(context, known)
  }
  const { id: grantId } = known.grant
  forget(context, known.sid)
  nodeState(context).streams.cut(grantId)
}

async function write(context: ServiceContext, known: KnownSession): Promise<boolean> {
  const { grant, sessionVersion, grantVersion } = known
  const ended: GrantRow = { ...grant, state: 'ended' }
  const value = JSON.stringify(ended)
  const operations: Operation[] = [
    { op: 'delete', key: known.sessionKey, if: sessionVersion },
    { op: 'put', key: known.grantKey, value, if: grantVersion, expiresAt: forgottenAt(grant) },
  ]
  if (grant.state === 'provisional' && grant.use !== undefined) {
    operations.push({ op: 'delete', key: grant.use.key })
  }
  const { id: grantId, clientDid, userDid } = grant
  const event = { type: 'session_ended', sid: known.sid, grantId, clientDid, userDid } as const
  const { outcome } = await record(context, known.partition, operations, [event])
  return outcome === 'done'
}
