import type { Bookkeeping } from '../context.ts'
import { revokeCredential } from './credential.ts'
import { markRevoked, type Told } from './end-grant.ts'
import { pointerTo } from './index-rows.ts'

/**
 * The operator ends a grant (ATH-8), as a revocation signed by the server would.
 *
 * @returns whether there was such a grant
 */
export async function revokeGrant(
  context: Bookkeeping,
  grantId: string,
  { by, reason }: Told,
): Promise<boolean> {
  const pointer = await pointerTo(context, grantId)
  if (pointer === undefined) return false
  const ended = await markRevoked(context, pointer.partition, grantId, { by, reason })
  if (ended?.changed === true) context.emit({ type: 'revoked', kind: 'grant', id: grantId, by, reason })
  return ended !== undefined
}

/**
 * The operator ends every grant that was made from a credential, and keeps it from being used again here: what a service does when
 * it learns by another way that its user lost control of it.
 *
 * @returns how many grants were ended
 */
export async function revokeUserCredential(
  context: Bookkeeping,
  userDid: string,
  credentialId: string,
  { by, reason }: Told,
): Promise<number> {
  const ended = await revokeCredential(context, { userDid, credentialId, by, reason })
  context.emit({ type: 'revoked', kind: 'credential', id: credentialId, by, reason })
  return ended
}
