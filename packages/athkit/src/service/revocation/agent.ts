import type { Bookkeeping } from '../context.ts'
import { clientPartition, GRANT_PREFIX } from './index-rows.ts'
import { countOf, endListed } from './listed.ts'

/**
 * Ends every grant of an agent that was suspended. The row that says so was written before; whoever is approved again meanwhile keeps
 * what was granted since.
 */
export async function endGrantsOfSuspended(
  context: Bookkeeping,
  { did, by, reason }: { readonly did: string; readonly by: string; readonly reason: string },
): Promise<number> {
  return countOf(
    await endListed(context, { partition: clientPartition(did), prefix: GRANT_PREFIX, by, reason }),
  )
}
