import type { Store } from '../store/store.ts'
import type { AuditEntry, AuditHead } from './entry.ts'
import { CHAINS, chainKey, chainPartition, entriesUpTo, type HeadRow, listAll } from './rows.ts'

/** Which entries are wanted; everything that is given must hold. */
export interface AuditQuery {
  readonly user?: string
  readonly agent?: string
  readonly grant?: string
  readonly handshake?: string
  readonly event?: string
  /** Unix seconds: from the one on, and before the other. */
  readonly since?: number
  readonly until?: number
}

/** Every line of an export: the chains one after another, each in its order, the heads that were signed behind it. */
export async function* exportAudit(store: Store, now: number): AsyncGenerator<AuditEntry | AuditHead> {
  for await (const process of chainsIn(store, now)) {
    yield* entriesIn(store, process, now)
    for await (const row of listAll(store, chainPartition(process), 'signed:', now)) {
      yield JSON.parse(row.value) as AuditHead
    }
  }
}

/** The entries that fit, chain after chain. */
export async function* queryAudit(store: Store, query: AuditQuery, now: number): AsyncGenerator<AuditEntry> {
  for await (const process of chainsIn(store, now)) {
    for await (const entry of entriesIn(store, process, now)) if (fits(entry, query)) yield entry
  }
}

export function fits(entry: AuditEntry, query: AuditQuery): boolean {
  const { user, agent, grant, handshake, event, since, until } = query
  return (
    (user === undefined || entry.user_did === user) &&
    (agent === undefined || entry.client_did === agent) &&
    (grant === undefined || entry.grant_id === grant) &&
    (handshake === undefined || entry.handshake_id === handshake) &&
    (event === undefined || entry.event === event) &&
    (since === undefined || entry.timestamp >= since) &&
    (until === undefined || entry.timestamp < until)
  )
}

async function* chainsIn(store: Store, now: number): AsyncGenerator<string> {
  for await (const { key } of listAll(store, CHAINS, 'chain:', now)) yield key.slice(chainKey('').length)
}

async function* entriesIn(store: Store, process: string, now: number): AsyncGenerator<AuditEntry> {
  const { results } = await store.transact(chainPartition(process), [{ op: 'get', key: 'head' }], now)
  const head: HeadRow | undefined = results[0] && JSON.parse(results[0].value)
  for await (const row of entriesUpTo(store, process, head?.count ?? 0, now)) {
    yield JSON.parse(row.value) as AuditEntry
  }
}
