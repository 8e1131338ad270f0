import { fromBase64url, toBase64url } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { Operation, OutboxEntry, Store } from '../store/store.ts'
import { hashOfEntry, START } from './chain.ts'
import { CHAINS, chainKey, chainPartition, entryKey, type HeadRow } from './rows.ts'

/** Entries that are added in one transaction. */
const MOST_AT_ONCE = 200

/**
 * Makes one process's chain longer.
 *
 * An entry gets its place once, whoever gives it: the head is replaced in the version in which it was read, and names the entries that
 * came with it. Those are dropped from their outboxes before the head is replaced again. So of what lies in an outbox after the head
 * was read, everything that the head does not name has no place yet; if the head has not changed by the commit, that still holds.
 */
export interface ChainWriter {
  /** Reads the head. What was read from an outbox before must be read again. */
  load(): Promise<HeadRow>
  /** What the head was when it was last read or written; undefined when that is not known. */
  readonly head: HeadRow | undefined
  /**
   * Adds entries behind a head that is known, in this order, and drops them from their outboxes.
   *
   * @returns false when somebody else has made the chain longer: nothing was added then
   * @throws AthError `store_unavailable`: how far it came has to be read anew
   */
  extend(entries: readonly OutboxEntry[]): Promise<boolean>
  /** Drops what the head names and an outbox still holds. */
  drop(entries: readonly OutboxEntry[]): Promise<void>
}

export const NO_ENTRIES: HeadRow = { count: 0, hash: toBase64url(START), ids: [] }

export function createChainWriter(store: Store, process: string, now: () => number): ChainWriter {
  const partition = chainPartition(process)
  let head: HeadRow | undefined
  let version: number | 'absent' = 'absent'
  let isListed = false

  async function load(): Promise<HeadRow> {
    const { results } = await store.transact(partition, [{ op: 'get', key: 'head' }], now())
    const row = results[0]
    version = row?.version ?? 'absent'
    head = row === undefined ? NO_ENTRIES : (JSON.parse(row.value) as HeadRow)
    return head
  }

  /** So that whoever reads the audit finds the chain: before its first entry. */
  async function list(): Promise<void> {
    if (isListed) return
    await store.transact(CHAINS, [{ op: 'put', key: chainKey(process), value: '' }], now())
    isListed = true
  }

  async function addSome(entries: readonly OutboxEntry[]): Promise<boolean> {
    if (head === undefined) throw new Error('the head was not read')
    const { rows, next } = await linked(head, entries)
    const value = JSON.stringify(next)
    head = undefined
    const put: Operation = { op: 'put', key: 'head', value, if: version }
    const { outcome, results } = await store.transact(partition, [put, ...rows], now())
    if (outcome !== 'done') return false
    await drop(entries)
    version = (results[0] as { row: { version: number } }).row.version
    head = next
    return true
  }

  async function drop(entries: readonly OutboxEntry[]): Promise<void> {
    const ids = new Map<string, string[]>()
    for (const entry of entries) ids.set(entry.partition, [...(ids.get(entry.partition) ?? []), entry.id])
    await Promise.all(
      [...ids].map(([name, some]) => store.transact(name, [{ op: 'drop', ids: some }], now())),
    )
  }

  return {
    load,
    drop,
    get head() {
      return head
    },
    async extend(entries) {
      await list()
      for (let at = 0; at < entries.length; at += MOST_AT_ONCE) {
        if (!(await addSome(entries.slice(at, at + MOST_AT_ONCE)))) return false
      }
      return true
    },
  }
}

async function linked(head: HeadRow, entries: readonly OutboxEntry[]) {
  const rows: Operation[] = []
  let { count } = head
  let previous: Uint8Array = fromBase64url(head.hash, 32)
  for (const { value } of entries) {
    const entry: JsonObject = { ...(JSON.parse(value) as JsonObject), seq: count }
    previous = await hashOfEntry(previous, entry)
    const row = JSON.stringify({ ...entry, hash: toBase64url(previous) })
    rows.push({ op: 'put', key: entryKey(count), value: row, if: 'absent' })
    count += 1
  }
  const next: HeadRow = { count, hash: toBase64url(previous), ids: entries.map(({ id }) => id) }
  return { rows, next }
}
