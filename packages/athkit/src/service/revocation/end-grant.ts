import type { Bookkeeping } from '../context.ts'
import { write } from '../record.ts'
import type { GrantRow } from '../rows.ts'
import { forgottenAt, revokedKey } from './index-rows.ts'

/** A row is written again at once by whoever confirms the session or ends it: few tries are ever needed. */
const MOST_TRIES = 20

/** Of whoever ended it. */
export interface Told {
  /** A DID. */
  readonly by: string
  readonly reason: string
}

export const grantKey = (grantId: string) => `grant:${grantId}`

/**
 * Marks a grant as revoked: the next sealed request reads it with its own row (ATH-7.6), open streams of this node are cut at once
 * and those of others as they look (ATH-7.8). One that is over stays as it is.
 *
 * @param why written down with it (ATH-10)
 * @returns the grant, and whether it was this call that ended it; undefined where there is none: it is then kept from being committed
 */
export async function markRevoked(
  context: Bookkeeping,
  partition: string,
  grantId: string,
  why: Told,
): Promise<{ readonly grant: GrantRow; readonly changed: boolean } | undefined> {
  const marked = await mark(context, partition, grantId, why)
  context.grantEnded(grantId)
  return marked
}

async function mark(context: Bookkeeping, partition: string, grantId: string, why: Told) {
  const key = grantKey(grantId)
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const now = context.now()
    const read = await context.store.transact(partition, [{ op: 'get', key }], now)
    const row = read.results[0]
    if (row === undefined) {
      if (await tombstone(context, partition, grantId)) return undefined
      continue
    }
    const grant = JSON.parse(row.value) as GrantRow
    if (isOver(grant, now)) return { grant, changed: false }
    const revoked: GrantRow = { ...grant, state: 'revoked' }
    const value = JSON.stringify(revoked)
    const { clientDid, userDid } = grant
    const of = { id: grantId, grantId, clientDid, userDid }
    const written = await write(
      context,
      partition,
      [{ op: 'put', key, value, if: row.version, expiresAt: forgottenAt(grant) }],
      [{ type: 'revoked', kind: 'grant', ...of, ...why }],
    )
    if (written.outcome === 'done') return { grant: revoked, changed: true }
  }
  throw new Error('the grant is written again and again')
}

const isOver = ({ state, expiresAt }: GrantRow, now: number): boolean =>
  state === 'ended' || state === 'revoked' || expiresAt <= now

const TOMBSTONE_SECONDS = 3600

/** Its commit is under way, or never came: it must not come now. False when it has come in between. */
async function tombstone(context: Bookkeeping, partition: string, grantId: string): Promise<boolean> {
  const now = context.now()
  const { outcome } = await context.store.transact(
    partition,
    [
      { op: 'get', key: grantKey(grantId), if: 'absent' },
      { op: 'put', key: revokedKey(grantId), value: '', expiresAt: now + TOMBSTONE_SECONDS },
    ],
    now,
  )
  return outcome === 'done'
}
