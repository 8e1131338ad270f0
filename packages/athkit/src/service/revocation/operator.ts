import type { ServiceContext } from '../context.ts'
import { revokeCredential } from './credential.ts'
import { markRevoked } from './end-grant.ts'
import { pointerTo } from './index-rows.ts'

/**
 * The operator ends a grant (ATH-8), as a revocation signed by the server would.
 *
 * @param reason for the record
 * @returns whether there was such a grant
 */
export async function revokeGrant(
  context: ServiceContext,
  grantId: string,
  reason: string,
): Promise<boolean> {
  const pointer = await pointerTo(context, 'grant', grantId)
  if (pointer === undefined) return false
  const grant = await markRevoked(context, pointer.partition, grantId)
  if (grant === undefined) return false
  context.emit({ type: 'revoked', kind: 'grant', id: grantId, by: context.identity.did, reason })
  return true
}

/**
 * The operator ends every grant that was made from a credential, and keeps it from being used again here: what a service does when
 * it learns by another way that its user lost control of it.
 *
 * @returns how many grants were ended
 */
export async function revokeUserCredential(
  context: ServiceContext,
  userDid: string,
  credentialId: string,
  reason: string,
): Promise<number> {
  const ended = await revokeCredential(context, userDid, credentialId)
  context.emit({ type: 'revoked', kind: 'credential', id: credentialId, by: context.identity.did, reason })
  return ended
}
