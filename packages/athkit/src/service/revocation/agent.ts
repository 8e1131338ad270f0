import type { Bookkeeping } from '../context.ts'
import { clientPartition, GRANT_PREFIX, SUSPENDED_KEY } from './index-rows.ts'
import { countOf, endListed } from './listed.ts'

/** Ends every grant of an agent that is suspended; one that was approved again since keeps what it has. */
export async function endGrantsOfSuspended(
  context: Bookkeeping,
  { did, by, reason }: { readonly did: string; readonly by: string; readonly reason: string },
): Promise<number> {
  const partition = clientPartition(did)
  const operations = [{ op: 'get', key: SUSPENDED_KEY, if: 'present' }] as const
  const { outcome } = await context.store.transact(partition, operations, context.now())
  if (outcome !== 'done') return 0
  return countOf(await endListed(context, { partition, prefix: GRANT_PREFIX, by, reason }))
}
