import { hash } from '../../crypto/jcs.ts'
import type { Operation } from '../../store/store.ts'
import type { Bookkeeping } from '../context.ts'
import { type GrantRow, type Pointer, pointerPartition, userPartition } from '../rows.ts'

/**
 * Where a grant is found by whoever may end it: in its user's partition by credential and by the question, in its client's and
 * elsewhere by its id (ATH-8). By that, which is also its session's, sealed requests find it.
 *
 * A revocation and the commit of a grant may race, and lie in different partitions. So the commit first enters the grant here, in
 * the very transaction that looks for a revocation; and a revocation writes itself down in the very transaction that looks for
 * grants. Whichever comes second sees the other.
 */
export interface IndexRow {
  readonly grantId: string
  /** Of the pair. */
  readonly partition: string
  /** Of the user when the grant was made. */
  readonly account: string
}

/** Seconds that a session is remembered after its grant's end, to say `session_expired` inside it. */
const REMEMBERED_SECONDS = 3600

/** Unix seconds: when the rows of a grant may be forgotten. */
export const forgottenAt = (grant: GrantRow): number => grant.expiresAt + REMEMBERED_SECONDS

export const revokedKey = (credentialOrGrantId: string) => `revoked:${credentialOrGrantId}`
export const revokedRequestKey = (requestId: string) => `revoked-request:${requestId}`
export const grantedRequestKey = (requestId: string) => `granted-request:${requestId}`
/** An account that the user's DID is no longer linked to (ATH-4.7). */
export const unlinkedKey = async (account: string) => `unlinked:${await hash(account)}`
/** Of a user's or a client's partition: its DID was deactivated (ATH-8). */
export const DEACTIVATED_KEY = 'deactivated'
/** Of a client's partition: the operator has suspended it. */
export const SUSPENDED_KEY = 'suspended'
/** Of every index row, in the partition of its user and in that of its client. */
export const GRANT_PREFIX = 'grant:'
export const indexPrefix = (credentialId: string) => `${GRANT_PREFIX}${credentialId}:`
const indexKey = (grant: GrantRow) => indexPrefix(grant.credentialId) + grant.id

export const clientPartition = (clientDid: string) => `client:${clientDid}`

/**
 * The first step of committing a grant; the second is one transaction in the pair, with {@link notRevoked} among its operations.
 *
 * @param partition of the pair
 * @returns `revoked` when the user has taken back the credential, this very request, or their link to the account, or a party's DID was
 *   deactivated; `suspended` when the operator has suspended the agent: nothing is granted then
 */
export async function indexGrant(
  context: Bookkeeping,
  grant: GrantRow,
  partition: string,
): Promise<'indexed' | 'revoked' | 'suspended'> {
  const now = context.now()
  const row: IndexRow = { grantId: grant.id, partition, account: grant.account }
  const entry = { value: JSON.stringify(row), expiresAt: grant.expiresAt }
  const operations: Operation[] = [
    { op: 'get', key: revokedKey(grant.credentialId), if: 'absent' },
    { op: 'get', key: await unlinkedKey(grant.account), if: 'absent' },
    { op: 'get', key: DEACTIVATED_KEY, if: 'absent' },
    { op: 'put', key: indexKey(grant), ...entry },
  ]
  if (grant.requestId !== undefined) {
    operations.unshift({ op: 'get', key: revokedRequestKey(grant.requestId), if: 'absent' })
    operations.push({ op: 'put', key: grantedRequestKey(grant.requestId), ...entry })
  }
  const { id: grantId, clientDid, userDid } = grant
  const pointer: Pointer = { partition, clientDid, userDid }
  const [ofUser, ofClient] = await Promise.all([
    context.store.transact(userPartition(userDid), operations, now),
    context.store.transact(
      clientPartition(clientDid),
      [
        { op: 'get', key: DEACTIVATED_KEY, if: 'absent' },
        { op: 'get', key: SUSPENDED_KEY, if: 'absent' },
        { op: 'put', key: GRANT_PREFIX + grantId, ...entry },
      ],
      now,
    ),
    context.store.transact(
      pointerPartition('grant', grantId),
      [{ op: 'put', key: 'at', value: JSON.stringify(pointer), expiresAt: forgottenAt(grant) }],
      now,
    ),
  ])
  if (ofUser.outcome !== 'done') return 'revoked'
  if (ofClient.outcome !== 'done') return ofClient.at === 0 ? 'revoked' : 'suspended'
  return 'indexed'
}

/** For the transaction that commits the grant in its pair: it aborts when a revocation came between. */
export const notRevoked = (grant: GrantRow): readonly Operation[] => [
  { op: 'get', key: revokedKey(grant.credentialId), if: 'absent' },
  { op: 'get', key: revokedKey(grant.id), if: 'absent' },
]

/** Where a grant and its session lie, whose id is the same; undefined when nobody knows it. */
export async function pointerTo(context: Bookkeeping, id: string): Promise<Pointer | undefined> {
  const operations = [{ op: 'get', key: 'at' }] as const
  const found = await context.store.transact(pointerPartition('grant', id), operations, context.now())
  const row = found.results[0]
  return row === undefined ? undefined : (JSON.parse(row.value) as Pointer)
}
