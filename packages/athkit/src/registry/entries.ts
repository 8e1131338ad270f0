import type { Audit, AuditFact } from '../audit/index.ts'
import { utf8 } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { DidOperation, DidState } from '../did/history.ts'
import { registryKey } from '../did/registry.ts'
import { refuse } from '../errors.ts'
import type { Store } from '../store/store.ts'

/**
 * How entries lie in a store: a partition for each name, whatever its case, with a row for the state and one for each operation.
 * Registering is to put the first state where there is none, everything later to put the next one over the version that was read: so
 * one writer wins, across processes.
 */
export interface Entry {
  readonly state: DidState
  /** Of all operations together, as they lie in the store. */
  readonly bytes: number
  /** Unix seconds, of the first and of the last operation. */
  readonly created: number
  readonly updated: number
}

/** An entry in the version in which it was read. */
export interface ReadEntry {
  readonly entry: Entry
  readonly version: number
}

/** As many as one look at a store gives; their bytes are what a resolver reads of a history. */
const MOST_OPERATIONS = 1000
const MOST_BYTES = 1_048_576
/** Kept free, so that a DID can always be deactivated. */
const RESERVED_BYTES = 65_536

const partitionOf = (did: string): string => `did:${registryKey(did)}`
const keyOf = (seq: number): string => `operation/${String(seq).padStart(6, '0')}`

/** @returns what stands under the name in any spelling: `entry.state.did` says in which */
export async function readEntry(store: Store, did: string, now: number): Promise<ReadEntry | undefined> {
  const { results } = await store.transact(partitionOf(did), [{ op: 'get', key: 'state' }], now)
  const row = results[0]
  return row && { entry: JSON.parse(row.value), version: row.version }
}

export async function readOperations(
  store: Store,
  did: string,
  now: number,
): Promise<readonly DidOperation[]> {
  const list = { op: 'list', prefix: 'operation/', limit: MOST_OPERATIONS } as const
  const { results } = await store.transact(partitionOf(did), [{ op: 'get', key: 'state' }, list], now)
  const entry: Entry | undefined = results[0] && JSON.parse(results[0].value)
  if (entry?.state.did !== did) return []
  return (results[1] ?? []).map(({ value }) => JSON.parse(value))
}

export interface Commit {
  readonly audit: Audit
  /** Unix seconds. */
  readonly now: number
  /** Of whoever submitted it. */
  readonly address: string
}

/** What the audit has of it (ATH-10); the operation itself stands in the history. */
function factOf(
  { did, seq, head, deactivated }: DidState,
  before: ReadEntry | undefined,
  timestamp: number,
  address: string,
): AuditFact {
  const op = deactivated ? 'deactivate' : before === undefined ? 'create' : 'update'
  return { event: 'DID operation', timestamp, detail: { did, op, seq, head, address } }
}

/**
 * Keeps an operation that was verified against `before`, and writes down for the audit that it was.
 *
 * @throws HandshakeError `out_of_order` when another was first, `message_too_large` when the history is full
 */
export async function commitOperation(
  store: Store,
  operation: JsonObject & { readonly timestamp: number },
  state: DidState,
  before: ReadEntry | undefined,
  { audit, now, address }: Commit,
): Promise<void> {
  const text = JSON.stringify(operation)
  const bytes = (before?.entry.bytes ?? 0) + utf8(text).length
  checkRoom(state, bytes)
  const { timestamp } = operation
  const entry: Entry = { state, bytes, created: before?.entry.created ?? timestamp, updated: timestamp }
  const partition = partitionOf(state.did)
  const written = audit.begin([factOf(state, before, now, address)])
  const operations = [
    { op: 'put', key: 'state', value: JSON.stringify(entry), if: before?.version ?? 'absent' },
    { op: 'put', key: keyOf(state.seq), value: text },
    ...written.operations,
  ] as const
  const { outcome } = await store.transact(partition, operations, now).catch((error: unknown) => {
    written.unknown()
    throw error
  })
  if (outcome === 'done') return written.settle(partition)
  written.discard()
  throw refuse('out_of_order', 'another was first', { rule: 'ATH-4.6' })
}

/** What nobody could read any more is not kept; the end of a DID always has room. */
function checkRoom({ seq, deactivated }: DidState, bytes: number): void {
  const [operations, most] = deactivated
    ? [MOST_OPERATIONS, MOST_BYTES]
    : [MOST_OPERATIONS - 1, MOST_BYTES - RESERVED_BYTES]
  if (seq < operations && bytes <= most) return
  throw refuse('message_too_large', 'the history is full: it can be deactivated', { rule: 'ATH-4.6' })
}
