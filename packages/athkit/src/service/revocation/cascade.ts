import { randomId } from '../../crypto/random.ts'
import type { Bookkeeping } from '../context.ts'
import type { ServiceEvent } from '../events.ts'
import { write } from '../record.ts'

/**
 * A revocation that ends many grants, which lie in many partitions: all that were made from a credential, of a party, or under a
 * link. It is written down before it begins and removed when it is through, and all it does may be done again, so what a process
 * did not live to finish another one does (`finish.ts`).
 */
export type Cascade = CascadeTarget & {
  readonly reason: string
  /** DID of whoever decided it. */
  readonly by: string
}

export type CascadeTarget =
  | { readonly kind: 'credential'; readonly userDid: string; readonly credentialId: string }
  | { readonly kind: 'party'; readonly did: string }
  | { readonly kind: 'agent'; readonly did: string }
  | { readonly kind: 'link'; readonly userDid: string; readonly account: string }

/** Row `cascade:ID` of {@link CASCADES}. */
export interface CascadeRow {
  readonly cascade: Cascade
  /** Unix seconds. */
  readonly at: number
}

export const CASCADES = 'cascades'
export const CASCADE_PREFIX = 'cascade:'

/** What was decided; each grant that it ends is told of by itself. */
function eventOf(cascade: Cascade): ServiceEvent {
  const { kind, by, reason } = cascade
  const id = kind === 'credential' ? cascade.credentialId : kind === 'link' ? cascade.account : cascade.did
  const of = 'userDid' in cascade ? { userDid: cascade.userDid } : {}
  return { type: 'revoked', kind, id, by, reason, ...of }
}

/** Runs it; where it breaks off, what was written down stays. */
export async function throughout<T>(
  context: Bookkeeping,
  cascade: Cascade,
  run: () => Promise<T>,
): Promise<T> {
  const key = CASCADE_PREFIX + randomId()
  const row: CascadeRow = { cascade, at: context.now() }
  await write(context, CASCADES, [{ op: 'put', key, value: JSON.stringify(row) }], [eventOf(cascade)])
  const result = await run()
  await context.store.transact(CASCADES, [{ op: 'delete', key }], context.now())
  return result
}
