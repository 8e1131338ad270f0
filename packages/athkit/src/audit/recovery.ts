import type { OutboxEntry, Store } from '../store/store.ts'
import { type ChainWriter, createChainWriter } from './chain-writer.ts'
import type { AuditRecord } from './entry.ts'
import type { AuditDeps } from './options.ts'

/** A record that has waited for its place for so long was left by a process that is gone. If it is not: both notice (`ChainWriter`). */
const LEFT_AFTER_SECONDS = 10

/** What one process has left in outboxes, in the order of time. */
export async function recordsOf(store: Store, process: string): Promise<readonly OutboxEntry[]> {
  return (await byProcess(store)).get(process)?.records ?? []
}

/**
 * Gives the records of processes that died a place in those processes' chains.
 *
 * @param extended called for each chain that was made longer
 */
export async function recoverOthers(
  { store, now }: AuditDeps,
  own: string,
  extended: (writer: ChainWriter, process: string) => Promise<void>,
): Promise<void> {
  const names = await left(store, own, now())
  if (names.length === 0) return
  const writers = names.map((name) => [name, createChainWriter(store, name, now)] as const)
  for (const [, writer] of writers) await writer.load()
  // Only now: what was found before may have got its place since.
  const found = await byProcess(store)
  for (const [name, writer] of writers) {
    const records = found.get(name)?.records ?? []
    const named = new Set(writer.head?.ids)
    await writer.drop(records.filter(({ id }) => named.has(id)))
    const lost = records.filter(({ id }) => !named.has(id))
    if (lost.length > 0 && (await writer.extend(lost))) await extended(writer, name)
  }
}

/** Does what any process does now and then, for a tool that reads what is there: what dead processes left gets its place. */
export const recoverAudit = (store: Store, now: number): Promise<void> =>
  recoverOthers(
    { store, signer: undefined, now: () => now, failed: () => undefined },
    '',
    async () => undefined,
  )

async function left(store: Store, own: string, now: number): Promise<readonly string[]> {
  const found = await byProcess(store)
  return [...found]
    .filter(([name, { oldest }]) => name !== own && oldest + LEFT_AFTER_SECONDS <= now)
    .map(([name]) => name)
}

interface Found {
  readonly records: readonly OutboxEntry[]
  /** Unix seconds. */
  readonly oldest: number
}

async function byProcess(store: Store): Promise<ReadonlyMap<string, Found>> {
  const seen = new Set<string>()
  const found = new Map<string, { readonly entry: OutboxEntry; readonly at: number }[]>()
  for await (const entry of store.outbox()) {
    const record = recordIn(entry.value)
    if (record === undefined || seen.has(entry.id)) continue
    seen.add(entry.id)
    const at = record.facts[0]?.timestamp ?? 0
    const those = found.get(record.process)
    if (those === undefined) found.set(record.process, [{ entry, at }])
    else those.push({ entry, at })
  }
  return new Map(
    [...found].map(([name, those]) => {
      those.sort((a, b) => a.at - b.at)
      return [name, { records: those.map(({ entry }) => entry), oldest: those[0]?.at ?? 0 }]
    }),
  )
}

/** An outbox may hold what somebody else appended: undefined for what is no record of the audit's. */
function recordIn(value: string): AuditRecord | undefined {
  try {
    const { process, facts }: Partial<AuditRecord> = Object(JSON.parse(value))
    return typeof process === 'string' && Array.isArray(facts) ? { process, facts } : undefined
  } catch {
    return undefined
  }
}
