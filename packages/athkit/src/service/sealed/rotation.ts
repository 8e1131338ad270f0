import { toBase64url } from '../../crypto/bytes.ts'
import { generateShare } from '../../crypto/ecdh.ts'
import { hash } from '../../crypto/jcs.ts'
import type { JsonObject } from '../../crypto/json.ts'
import { refuse } from '../../errors.ts'
import { answerRotation, receiveRotationRequest } from '../../session/rotation.ts'
import type { ServiceContext } from '../context.ts'
import { record } from '../record.ts'
import { forgottenAt } from '../revocation/index-rows.ts'
import type { EpochRow, SessionRow } from '../rows.ts'
import { openWindow } from '../windows.ts'
import { readAgain } from './confirm.ts'
import { type FoundKeys, type KnownSession, refresh } from './sessions.ts'

const MOST_TRIES = 20

/**
 * Inner `POST /ath/session/keys` (ATH-7.9): issues the next epoch. The request that carried this one is valid, so its own epoch is
 * confirmed by now.
 *
 * @returns the answer, the same one for the identical request
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `no_common_capability`, `out_of_order`, `rotation_pending`
 */
export async function rotate(
  context: ServiceContext,
  { known, epoch }: FoundKeys,
  message: JsonObject,
): Promise<JsonObject> {
  const requestHash = await hash(message)
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const given = known.session.epochs.find(({ rotation }) => rotation?.request === requestHash)?.rotation
    if (given !== undefined) return given.answer
    const base = mayRotate(context, known.session, epoch.row.epoch)
    const issued = await issue(context, known, base, message, requestHash)
    if (issued !== undefined) return issued
    await readAgain(context, known)
  }
  throw new Error('the session is written again and again')
}

/** The newest confirmed epoch, under which alone a rotation is made; at most two may wait for confirmation. */
function mayRotate(context: ServiceContext, { epochs }: SessionRow, under: number): EpochRow {
  const confirmed = epochs.filter(({ confirmedAt }) => confirmedAt !== undefined)
  const newest = confirmed.reduce<EpochRow | undefined>(
    (best, row) => (best === undefined || row.epoch > best.epoch ? row : best),
    undefined,
  )
  if (newest?.epoch !== under) throw refuse('out_of_order', 'not the newest epoch', { rule: 'ATH-7.9' })
  const pending = epochs.filter(({ confirmedAt }) => confirmedAt === undefined)
  const [first] = pending
  const issuedAt = first?.rotation?.at ?? first?.createdAt ?? 0
  const isSuperseded = context.now() - issuedAt >= context.timeouts.rotationSupersede
  if (first !== undefined && (pending.length > 1 || !isSuperseded)) {
    throw refuse('rotation_pending', 'another rotation waits for its first request', { rule: 'ATH-7.9' })
  }
  return newest
}

/** undefined when the session was written in between. */
async function issue(
  context: ServiceContext,
  known: KnownSession,
  base: EpochRow,
  message: JsonObject,
  requestHash: string,
): Promise<JsonObject | undefined> {
  const now = context.now()
  const { session, grant, sessionVersion } = known
  const keys = known.epochs.get(base.epoch)?.keys
  if (keys === undefined) return undefined
  const request = receiveRotationRequest(message, session.capabilities, now)
  const { keys: next, response } = await answerRotation(request, {
    share: await generateShare(request.key_exchange_alg),
    rekey: keys.rekey,
    cipher: keys.cipher,
    epoch: session.highestEpoch + 1,
    now,
  })
  const row: EpochRow = {
    epoch: next.epoch,
    c2s: toBase64url(next.c2s),
    s2c: toBase64url(next.s2c),
    rekey: toBase64url(next.rekey),
    createdAt: now,
    rotation: { request: requestHash, answer: response, at: now },
  }
  const changed: SessionRow = { ...session, highestEpoch: next.epoch, epochs: [...session.epochs, row] }
  const value = JSON.stringify(changed)
  const { id: grantId, clientDid, userDid } = grant
  const rotated = {
    type: 'keys_rotated',
    sid: known.sid,
    epoch: next.epoch,
    grantId,
    clientDid,
    userDid,
  } as const
  const { outcome, results } = await record(
    context,
    known.partition,
    [
      { op: 'put', key: known.sessionKey, value, if: sessionVersion, expiresAt: forgottenAt(grant) },
      openWindow(known.sid, row),
    ],
    [rotated],
  )
  const written = results[0]?.row
  if (outcome !== 'done' || written === undefined) return undefined
  refresh(known, written, undefined)
  return response
}
