import type { Bookkeeping } from '../context.ts'
import { userPartition } from '../rows.ts'
import { type CascadeTarget, throughout } from './cascade.ts'
import { clientPartition, DEACTIVATED_KEY, GRANT_PREFIX, unlinkedKey } from './index-rows.ts'
import { countOf, endListed } from './listed.ts'

/** No handshake is open for so long: whatever was under way when a link or a DID ended is over by then. */
const GUARD_SECONDS = 7200

type Told<Kind> = Extract<CascadeTarget, { readonly kind: Kind }> & {
  readonly reason: string
  readonly by: string
}

/**
 * Ends every grant that a user made under an account. A handshake under way under that account commits no more: the row that says so
 * is written before the grants are listed (see `index-rows.ts`).
 *
 * @returns how many grants it ended
 */
export function endLink(
  context: Bookkeeping,
  userDid: string,
  account: string,
  reason: string,
): Promise<number> {
  const cascade = { kind: 'link', userDid, account, reason, by: userDid } as const
  return throughout(context, cascade, () => endGrantsOfLink(context, cascade))
}

export async function endGrantsOfLink(
  context: Bookkeeping,
  { userDid, account, by, reason }: Told<'link'>,
): Promise<number> {
  await guard(context, userPartition(userDid), await unlinkedKey(account))
  const listed = { partition: userPartition(userDid), prefix: GRANT_PREFIX, by, reason }
  return countOf(await endListed(context, { ...listed, isMeant: (entry) => entry.account === account }))
}

/** Before a DID is linked to the account again: what is granted from now on counts. */
export async function openLink(context: Bookkeeping, userDid: string, account: string): Promise<void> {
  const row = { op: 'delete', key: await unlinkedKey(account) } as const
  await context.store.transact(userPartition(userDid), [row], context.now())
}

/**
 * A deactivated DID ends its party's grants, whether it is a user's or a client's (ATH-8), and those that handshakes under way would
 * commit.
 *
 * @returns how many
 */
export function endGrantsOf(context: Bookkeeping, did: string, reason: string): Promise<number> {
  const cascade = { kind: 'party', did, reason, by: did } as const
  return throughout(context, cascade, () => endGrantsOfParty(context, cascade))
}

export async function endGrantsOfParty(
  context: Bookkeeping,
  { did, by, reason }: Told<'party'>,
): Promise<number> {
  const ended = await Promise.all(
    [userPartition(did), clientPartition(did)].map(async (partition) => {
      await guard(context, partition, DEACTIVATED_KEY)
      return endListed(context, { partition, prefix: GRANT_PREFIX, by, reason })
    }),
  )
  return countOf(ended.flat())
}

async function guard(context: Bookkeeping, partition: string, key: string): Promise<void> {
  const now = context.now()
  await context.store.transact(
    partition,
    [{ op: 'put', key, value: '', expiresAt: now + GUARD_SECONDS }],
    now,
  )
}
