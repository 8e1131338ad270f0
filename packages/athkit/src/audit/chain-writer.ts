import { fromBase64url, toBase64url } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { Operation, OutboxEntry, Store } from '../store/store.ts'
import { hashOfEntry, START } from './chain.ts'
import { type AuditRecord, entryId } from './entry.ts'
import { CHAINS, chainKey, chainPartition, entryKey, type HeadRow } from './rows.ts'

/** Records that are added in one transaction. */
const MOST_AT_ONCE = 100

/**
 * Makes one process's chain longer.
 *
 * A record gets its places once, whoever gives them: the head is replaced in the version in which it was read, and names the records that
 * came with it. Those are dropped from their outboxes before the head is replaced again. So of what lies in an outbox after the head
 * was read, everything that the head does not name has no place yet; if the head has not changed by the commit, that still holds.
 */
export interface ChainWriter {
  /** Reads the head. What was read from an outbox before must be read again. */
  load(): Promise<HeadRow>
  /** What the head was when it was last read or written; undefined when that is not known. */
  readonly head: HeadRow | undefined
  /**
   * Adds the facts of records behind a head that is known, in this order, and drops the records from their outboxes.
   *
   * @returns false when somebody else has made the chain longer: nothing was added then
   * @throws AthError `store_unavailable`: how far it came has to be read anew
   */
  extend(records: readonly OutboxEntry[]): Promise<boolean>
  /** Drops what the head names and an outbox still holds. */
  drop(records: readonly OutboxEntry[]): Promise<void>
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

  async function addSome(records: readonly OutboxEntry[]): Promise<boolean> {
    if (head === undefined) throw new Error('the head was not read')
    const { rows, next } = await linked(head, records)
    const value = JSON.stringify(next)
    head = undefined
    const put: Operation = { op: 'put', key: 'head', value, if: version }
    const { outcome, results } = await store.transact(partition, [put, ...rows], now())
    if (outcome !== 'done') return false
    await drop(records)
    version = (results[0] as { row: { version: number } }).row.version
    head = next
    return true
  }

  async function drop(records: readonly OutboxEntry[]): Promise<void> {
    const ids = new Map<string, string[]>()
    for (const { partition: name, id } of records) ids.set(name, [...(ids.get(name) ?? []), id])
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
    async extend(records) {
      await list()
      for (let at = 0; at < records.length; at += MOST_AT_ONCE) {
        if (!(await addSome(records.slice(at, at + MOST_AT_ONCE)))) return false
      }
      return true
    },
  }
}

/** From the text that is durable, not from what it was made of: others may have that in their hands. */
async function linked(head: HeadRow, records: readonly OutboxEntry[]) {
  const rows: Operation[] = []
  let { count } = head
  let previous: Uint8Array = fromBase64url(head.hash, 32)
  for (const { id, value } of records) {
    const { process, facts } = JSON.parse(value) as AuditRecord
    for (const [at, fact] of facts.entries()) {
      const entry: JsonObject = { ...fact, id: entryId(id, at), process, seq: count }
      previous = await hashOfEntry(previous, entry)
      const row = JSON.stringify({ ...entry, hash: toBase64url(previous) })
      rows.push({ op: 'put', key: entryKey(count), value: row, if: 'absent' })
      count += 1
    }
  }
  const next: HeadRow = { count, hash: toBase64url(previous), ids: records.map(({ id }) => id) }
  return { rows, next }
}
