import { factsOf } from '../audit-facts.ts'
import type { Bookkeeping } from '../context.ts'
import { pairPartition } from '../rows.ts'
import { ledgerRows } from './ledger-rows.ts'
import { HOLD_PREFIX, type HoldRow, holdKey, refund } from './refund.ts'

/** What an agent has reserved for a user in a request whose outcome is not known: it runs, or its process died. */
export interface Unsettled {
  readonly id: string
  readonly grantId: string
  /** Unix seconds. */
  readonly since: number
  readonly amounts: readonly { readonly restriction: string; readonly amount: number }[]
}

/** A pair, as the operator names it. */
export interface Pair {
  readonly clientDid: string
  readonly userDid: string
}

const MOST_LISTED = 1000

/** The oldest first. */
export async function unsettledOf(
  context: Bookkeeping,
  { clientDid, userDid }: Pair,
): Promise<readonly Unsettled[]> {
  const partition = await pairPartition(clientDid, userDid)
  const operations = [{ op: 'list', prefix: HOLD_PREFIX, limit: MOST_LISTED }] as const
  const { results } = await context.store.transact(partition, operations, context.now())
  const found = (results[0] ?? []).map(({ key, value }) => {
    const { entries, grantId, at } = JSON.parse(value) as HoldRow
    const amounts = entries.map(({ name, amount }) => ({ restriction: name, amount: amount / 1000 }))
    return { id: key.slice(HOLD_PREFIX.length), grantId, since: at, amounts }
  })
  return found.sort((a, b) => a.since - b.since)
}

/**
 * The operator has looked, and nothing came of the request: what it had reserved is there again. That is written down (ATH-10).
 *
 * @returns false where there is no such reservation, or not any more
 */
export async function giveBackUnsettled(
  context: Bookkeeping,
  pair: Pair,
  id: string,
  by: string,
): Promise<boolean> {
  const partition = await pairPartition(pair.clientDid, pair.userDid)
  const operations = [{ op: 'get', key: holdKey(id) }] as const
  const { results } = await context.store.transact(partition, operations, context.now())
  if (results[0] === undefined) return false
  const { entries, grantId } = JSON.parse(results[0].value) as HoldRow
  const events = entries.map(({ name: restriction, amount }) => {
    const spent = { restriction, amount: amount / 1000, outcome: 'refunded' } as const
    return { type: 'spent', ...spent, by, grantId, ...pair } as const
  })
  const begun = context.audit.begin(events.flatMap((event) => factsOf(event, context.now())))
  try {
    const rows = ledgerRows(context, partition, new Map())
    const isDone = await refund(context, partition, rows, { id, entries }, [], begun.operations)
    if (isDone) begun.settle(partition)
    else begun.discard()
    if (isDone) for (const event of events) context.emit(event)
    return isDone
  } catch (error) {
    begun.unknown()
    throw error
  }
}
