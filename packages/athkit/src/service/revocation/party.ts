import type { ServiceContext } from '../context.ts'
import { userPartition } from '../rows.ts'
import { markRevoked } from './end-grant.ts'
import { clientPartition, GRANT_PREFIX, type IndexRow, unlinkedKey } from './index-rows.ts'

const PAGE = 1000

/** No handshake is open for so long: whatever was under way when a link ended is over by then. */
const UNLINKED_SECONDS = 7200

/**
 * Ends every grant that a user made under an account. A handshake under way under that account commits no more: the row that says so
 * is written before the grants are listed (see `index-rows.ts`).
 *
 * @returns how many grants it ended
 */
export async function endLink(
  context: ServiceContext,
  userDid: string,
  account: string,
  reason: string,
): Promise<number> {
  const now = context.now()
  const expiresAt = now + UNLINKED_SECONDS
  const row = { op: 'put', key: await unlinkedKey(account), value: '', expiresAt } as const
  await context.store.transact(userPartition(userDid), [row], now)
  return endListed(context, userPartition(userDid), userDid, reason, (entry) => entry.account === account)
}

/** Before a DID is linked to the account again: what is granted from now on counts. */
export async function openLink(context: ServiceContext, userDid: string, account: string): Promise<void> {
  const row = { op: 'delete', key: await unlinkedKey(account) } as const
  await context.store.transact(userPartition(userDid), [row], context.now())
}

/** A deactivated DID ends its party's grants, whether it is a user's or a client's (ATH-8). @returns how many */
export async function endGrantsOf(context: ServiceContext, did: string, reason: string): Promise<number> {
  const partitions = [userPartition(did), clientPartition(did)]
  const ended = await Promise.all(
    partitions.map((partition) => endListed(context, partition, did, reason, () => true)),
  )
  return ended.reduce((sum, one) => sum + one, 0)
}

async function endListed(
  context: ServiceContext,
  partition: string,
  by: string,
  reason: string,
  isMeant: (entry: IndexRow) => boolean,
): Promise<number> {
  const operations = [{ op: 'list', prefix: GRANT_PREFIX, limit: PAGE }] as const
  let ended = 0
  for (;;) {
    const { results } = await context.store.transact(partition, operations, context.now())
    const rows = results[0] ?? []
    const meant = rows.filter(({ value }) => isMeant(JSON.parse(value)))
    for (const { value } of meant) {
      const { grantId, partition: pair } = JSON.parse(value) as IndexRow
      if ((await markRevoked(context, pair, grantId))?.state !== 'revoked') continue
      context.emit({ type: 'revoked', kind: 'grant', id: grantId, by, reason })
      ended += 1
    }
    if (meant.length === 0) return ended
    // What has been ended leaves the list, so that the next look shows what has not.
    const deletions = meant.map(({ key }) => ({ op: 'delete', key }) as const)
    await context.store.transact(partition, deletions, context.now())
  }
}
