import type { Get } from '../../store/store.ts'
import type { ServiceContext } from '../context.ts'
import { userPartition } from '../rows.ts'
import { markRevoked } from './end-grant.ts'
import { grantedRequestKey, type IndexRow, indexPrefix, revokedKey, revokedRequestKey } from './index-rows.ts'

const KEPT_SECONDS = 365 * 86_400

/** How long a question named in a revocation is remembered: longer than any handshake is open. */
const REQUEST_KEPT_SECONDS = 7200

const PAGE = 1000

/** `credential_id` is base64url of 32 bytes: nothing else can ever be one. */
const CREDENTIAL_ID = /^[A-Za-z0-9_-]{43}$/

/**
 * Whether the user has taken the credential back, or the request that shows it. Asked before a credential is accepted, at each
 * commit that rests on it (ATH-6.2.1), and whenever a client asks what became of its handshake.
 */
export async function isRevoked(
  context: ServiceContext,
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
 * It is remembered for a year, or to its end where that is known to be later: never only until a day that its user named too
 * early (ATH-8).
 *
 * @returns how many grants it ended
 */
export async function revokeCredential(
  context: ServiceContext,
  userDid: string,
  credentialId: string,
): Promise<number> {
  if (!CREDENTIAL_ID.test(credentialId)) return 0
  const kept = context.now() + KEPT_SECONDS
  let ended = 0
  for (;;) {
    const page = await rememberAndList(context, userDid, credentialId, kept)
    let lastEnd = kept
    for (const { grantId, partition } of page.map((row) => JSON.parse(row.value) as IndexRow)) {
      const grant = await markRevoked(context, partition, grantId)
      if (grant === undefined) continue
      ended += 1
      lastEnd = Math.max(lastEnd, grant.credentialExpiresAt ?? 0)
    }
    if (lastEnd > kept) await rememberAndList(context, userDid, credentialId, lastEnd)
    if (page.length < PAGE) return ended
    // What has been ended leaves the list, so that the next page holds what has not.
    const deletions = page.map((row) => ({ op: 'delete', key: row.key }) as const)
    await context.store.transact(userPartition(userDid), deletions, context.now())
  }
}

async function rememberAndList(
  context: ServiceContext,
  userDid: string,
  credentialId: string,
  expiresAt: number,
) {
  const { results } = await context.store.transact(
    userPartition(userDid),
    [
      { op: 'put', key: revokedKey(credentialId), value: '', expiresAt },
      { op: 'list', prefix: indexPrefix(credentialId), limit: PAGE },
    ],
    context.now(),
  )
  return results[1] ?? []
}

/**
 * Ends the grant that came of a question, by the name its user knows (ATH-8). Before m9b it ends the handshake: nothing is
 * committed for that request from now on.
 */
export async function revokeRequest(
  context: ServiceContext,
  userDid: string,
  requestId: string,
): Promise<boolean> {
  const now = context.now()
  const { results } = await context.store.transact(
    userPartition(userDid),
    [
      { op: 'put', key: revokedRequestKey(requestId), value: '', expiresAt: now + REQUEST_KEPT_SECONDS },
      { op: 'get', key: grantedRequestKey(requestId) },
    ],
    now,
  )
  const row = results[1]
  if (row === undefined) return false
  const { grantId, partition } = JSON.parse(row.value) as IndexRow
  return (await markRevoked(context, partition, grantId)) !== undefined
}
