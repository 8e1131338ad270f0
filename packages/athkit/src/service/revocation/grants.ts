import { createGrantsListing, type Grant, type GrantsListing } from '../../messages/grants.ts'
import type { Bookkeeping } from '../context.ts'
import { type GrantRow, userPartition } from '../rows.ts'
import { grantKey } from './end-grant.ts'
import type { IndexRow } from './index-rows.ts'

const MOST_LISTED = 1000

export const usedKey = (grantId: string) => `used:${grantId}`

/**
 * `GET {grants_endpoint}` (ATH-8): the user's own grants that can be used now, the newest first. One whose session has not sent
 * its first request yet is among them: it can, and the user may want to take it back before it does.
 */
export async function listGrants(context: Bookkeeping, userDid: string): Promise<GrantsListing> {
  const now = context.now()
  const operations = [{ op: 'list', prefix: 'grant:', limit: MOST_LISTED }] as const
  const { results } = await context.store.transact(userPartition(userDid), operations, now)
  const rows = (results[0] ?? []).map((row) => JSON.parse(row.value) as IndexRow)
  const pairs = new Map<string, IndexRow[]>()
  for (const row of rows) pairs.set(row.partition, [...(pairs.get(row.partition) ?? []), row])
  const found = await Promise.all([...pairs].map(([pair, entries]) => readGrants(context, pair, entries)))
  const grants = found.flat().filter((grant) => grant.userDid === userDid && isUsable(grant, now))
  return createGrantsListing(grants.sort((a, b) => b.grantedAt - a.grantedAt).map(entryOf))
}

/** Whether a sealed request under the grant would be heard. @param now Unix seconds */
function isUsable(grant: GrantRow, now: number): boolean {
  if (grant.expiresAt <= now) return false
  return grant.state === 'live' || (grant.state === 'provisional' && grant.provisionalUntil > now)
}

/** The grants of one pair, with their last use, in one round trip. */
async function readGrants(
  context: Bookkeeping,
  partition: string,
  entries: readonly IndexRow[],
): Promise<readonly GrantRow[]> {
  const keys = entries.flatMap(({ grantId }) => [grantKey(grantId), usedKey(grantId)])
  const operations = keys.map((key) => ({ op: 'get', key }) as const)
  const { results } = await context.store.transact(partition, operations, context.now())
  return entries.flatMap((_, index) => {
    const [row, used] = [results[2 * index], results[2 * index + 1]]
    if (row === undefined) return []
    const grant = JSON.parse(row.value) as GrantRow
    return [used === undefined ? grant : { ...grant, lastUsedAt: Number(used.value) }]
  })
}

const entryOf = (grant: GrantRow): Grant => ({
  id: grant.id,
  requestId: grant.requestId,
  clientDid: grant.clientDid,
  clientInfo: grant.clientInfo,
  credentialId: grant.credentialId,
  scopes: grant.scopes,
  restrictions: grant.restrictions,
  grantedAt: grant.grantedAt,
  expiresAt: grant.expiresAt,
  lastUsedAt: grant.lastUsedAt,
})
