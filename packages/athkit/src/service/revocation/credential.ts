import type { Get } from '../../store/store.ts'
import type { Bookkeeping } from '../context.ts'
import { write } from '../record.ts'
import { userPartition } from '../rows.ts'
import { type Cascade, throughout } from './cascade.ts'
import { markRevoked, type Told } from './end-grant.ts'
import { grantedRequestKey, type IndexRow, indexPrefix, revokedKey, revokedRequestKey } from './index-rows.ts'
import { countOf, endListed } from './listed.ts'

const KEPT_SECONDS = 365 * 86_400

/** How long a question named in a revocation is remembered: longer than any handshake is open. */
const REQUEST_KEPT_SECONDS = 7200

/** `credential_id` is base64url of 32 bytes: nothing else can ever be one. */
const CREDENTIAL_ID = /^[A-Za-z0-9_-]{43}$/

/**
 * Whether the user has taken the credential back, or the request that shows it. Asked before a credential is accepted, at each
 * commit that rests on it (ATH-6.2.1), and whenever a client asks what became of its handshake.
 */
export async function isRevoked(
  context: Bookkeeping,
  userDid: string,
  credentialId: string,
  requestId?: string,
): Promise<boolean> {
  const operations: Get[] = [{ op: 'get', key: revokedKey(credentialId), if: 'absent' }]
  if (requestId !== undefined) {
    operations.push({ op: 'get', key: revokedRequestKey(requestId), if: 'absent' })
  }
  const { outcome } = await context.store.transact(userPartition(userDid), operations, context.now())
  return outcome !== 'done'
}

/**
 * Ends a credential and every grant made from it. One that has not been seen yet is remembered, and refused when it is shown.
 *
 * @param by DID of whoever takes it back
 * @returns how many grants it ended
 */
export async function revokeCredential(
  context: Bookkeeping,
  taken: {
    readonly userDid: string
    readonly credentialId: string
    readonly by: string
    readonly reason: string
  },
): Promise<number> {
  if (!CREDENTIAL_ID.test(taken.credentialId)) return 0
  const cascade = { kind: 'credential', ...taken } as const
  return throughout(context, cascade, () => endCredential(context, cascade))
}

/**
 * It is remembered for a year, or to its end where that is known to be later: never only until a day that its user named too
 * early (ATH-8).
 */
export async function endCredential(
  context: Bookkeeping,
  { userDid, credentialId, by, reason }: Extract<Cascade, { readonly kind: 'credential' }>,
): Promise<number> {
  const partition = userPartition(userDid)
  const kept = context.now() + KEPT_SECONDS
  await remember(context, partition, credentialId, kept)
  const ended = await endListed(context, { partition, prefix: indexPrefix(credentialId), by, reason })
  const lastEnd = Math.max(kept, ...ended.map(({ grant }) => grant.credentialExpiresAt ?? 0))
  if (lastEnd > kept) await remember(context, partition, credentialId, lastEnd)
  return countOf(ended)
}

async function remember(
  context: Bookkeeping,
  partition: string,
  credentialId: string,
  expiresAt: number,
): Promise<void> {
  const row = { op: 'put', key: revokedKey(credentialId), value: '', expiresAt } as const
  await context.store.transact(partition, [row], context.now())
}

/**
 * Ends the grant that came of a question, by the name its user knows (ATH-8). Before m9b it ends the handshake: nothing is
 * committed for that request from now on.
 */
export async function revokeRequest(
  context: Bookkeeping,
  userDid: string,
  requestId: string,
  why: Told,
): Promise<boolean> {
  const now = context.now()
  const { results } = await write(
    context,
    userPartition(userDid),
    [
      { op: 'put', key: revokedRequestKey(requestId), value: '', expiresAt: now + REQUEST_KEPT_SECONDS },
      { op: 'get', key: grantedRequestKey(requestId) },
    ],
    [{ type: 'revoked', kind: 'request', id: requestId, userDid, ...why }],
  )
  const row = results[1]
  if (row === undefined) return false
  const { grantId, partition } = JSON.parse(row.value) as IndexRow
  return (await markRevoked(context, partition, grantId, why)) !== undefined
}
