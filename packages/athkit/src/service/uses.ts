import type { Operation } from '../store/store.ts'
import type { ServiceContext } from './context.ts'
import { pairPartition } from './rows.ts'

/**
 * How often a credential was used here (ATH-6.2.1). A use is a row of its own, named after its handshake, which lapses by itself
 * unless a session makes it final (`spent`): so a use is given back without anybody having to do it. Final ones are counted
 * together in one row, which is also what keeps two handshakes from taking the last use both.
 */
const usesPrefix = (credentialId: string) => `uses:${credentialId}:`
export const useKey = (credentialId: string, handshakeId: string) => usesPrefix(credentialId) + handshakeId
const countKey = (credentialId: string) => `used-up:${credentialId}`

const PAGE = 1000

export interface UsesOf {
  readonly clientDid: string
  readonly userDid: string
  readonly credentialId: string
}

/** Uses that are final or reserved. */
export async function countUses(context: ServiceContext, of: UsesOf): Promise<number> {
  const { spent, rows } = await read(context, of)
  return spent + rows.length
}

export interface Reservation extends UsesOf {
  readonly handshakeId: string
  readonly maxUses: number
  /** Unix seconds: when the use is given back, unless it is reserved for longer or made final. */
  readonly until: number
  /** Unix seconds: when nobody asks any more. */
  readonly credentialExpiresAt: number
}

/** Reserves one use for a handshake, once however often it is called; false when there is none left. */
export async function reserveUse(context: ServiceContext, wanted: Reservation): Promise<boolean> {
  const { credentialId, handshakeId, maxUses, until, credentialExpiresAt } = wanted
  const mine = useKey(credentialId, handshakeId)
  for (;;) {
    const { partition, spent, rows, version } = await read(context, wanted)
    if (rows.some(({ key }) => key === mine)) return true
    if (spent + rows.length >= maxUses) return false
    const final = rows.filter(({ value }) => value === 'spent')
    const operations: Operation[] = [
      {
        op: 'put',
        key: countKey(credentialId),
        value: String(spent + final.length),
        if: version,
        expiresAt: credentialExpiresAt,
      },
      ...final.map((row) => ({ op: 'delete', key: row.key }) as const),
      { op: 'put', key: mine, value: 'reserved', expiresAt: until },
    ]
    const { outcome } = await context.store.transact(partition, operations, context.now())
    if (outcome === 'done') return true
  }
}

/** Gives a reserved use back: its handshake has ended without a session. */
export async function releaseUse(
  context: ServiceContext,
  of: UsesOf & { readonly handshakeId: string },
): Promise<void> {
  const partition = await pairPartition(of.clientDid, of.userDid)
  const key = useKey(of.credentialId, of.handshakeId)
  await context.store.transact(partition, [{ op: 'delete', key }], context.now())
}

async function read(context: ServiceContext, { clientDid, userDid, credentialId }: UsesOf) {
  const partition = await pairPartition(clientDid, userDid)
  const { results } = await context.store.transact(
    partition,
    [
      { op: 'get', key: countKey(credentialId) },
      { op: 'list', prefix: usesPrefix(credentialId), limit: PAGE },
    ],
    context.now(),
  )
  const [count, rows] = results
  return {
    partition,
    spent: count === undefined ? 0 : Number(count.value),
    version: count === undefined ? ('absent' as const) : count.version,
    rows: rows ?? [],
  }
}
