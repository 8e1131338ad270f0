import type { Bookkeeping } from '../context.ts'
import type { GrantRow } from '../rows.ts'
import { markRevoked } from './end-grant.ts'
import type { IndexRow } from './index-rows.ts'

const PAGE = 1000

export interface Listed {
  /** Of the user or the client. */
  readonly partition: string
  readonly prefix: string
  readonly by: string
  readonly reason: string
  readonly isMeant?: (entry: IndexRow) => boolean
}

export interface Ended {
  readonly grant: GrantRow
  readonly changed: boolean
}

export const countOf = (ended: readonly Ended[]): number => ended.filter(({ changed }) => changed).length

/**
 * Ends the grants that an index lists. What has been ended leaves the list, so it may be run again wherever it broke off.
 *
 * @returns the grants it found, and whether it was this run that ended them
 */
export async function endListed(
  context: Bookkeeping,
  { partition, prefix, by, reason, isMeant = () => true }: Listed,
): Promise<readonly Ended[]> {
  const operations = [{ op: 'list', prefix, limit: PAGE }] as const
  const found: Ended[] = []
  for (;;) {
    const { results } = await context.store.transact(partition, operations, context.now())
    const meant = (results[0] ?? []).filter(({ value }) => isMeant(JSON.parse(value)))
    if (meant.length === 0) return found
    for (const { value } of meant) {
      const { grantId, partition: pair } = JSON.parse(value) as IndexRow
      const ended = await markRevoked(context, pair, grantId, { by, reason })
      if (ended === undefined) continue
      found.push(ended)
      if (ended.changed) context.emit({ type: 'revoked', kind: 'grant', id: grantId, by, reason })
    }
    const deletions = meant.map(({ key }) => ({ op: 'delete', key }) as const)
    await context.store.transact(partition, deletions, context.now())
  }
}
