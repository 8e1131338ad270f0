import { AthError } from '../errors.ts'
import { admit, type Window as Events } from './rate.ts'
import type { Operation, Outcome, Row, Store } from './store.ts'
import { emptyWindow, mark, type ReplayWindow } from './window.ts'

interface Cell<Value> {
  readonly value: Value
  readonly expiresAt: number | undefined
}

interface Partition {
  readonly rows: Map<string, Cell<Row>>
  readonly windows: Map<string, Cell<ReplayWindow>>
  readonly counters: Map<string, Events>
}

type Undo = () => void

/**
 * The contract in the memory of one process: for tests, and for services that may forget everything when they stop. Each transaction
 * runs without a pause, so nothing comes between its operations.
 */
export function memory(): Store {
  const partitions = new Map<string, Partition>()
  let version = 0
  let closed = false

  function run(
    partition: Partition,
    operation: Operation,
    now: number,
    undo: Undo[],
  ): { refused: boolean; result: unknown } {
    const live = (key: string): Row | undefined => {
      const cell = partition.rows.get(key)
      return cell === undefined || (cell.expiresAt !== undefined && cell.expiresAt <= now)
        ? undefined
        : cell.value
    }
    switch (operation.op) {
      case 'get': {
        const row = live(operation.key)
        const wanted = operation.if
        return {
          refused: wanted !== undefined && (wanted === 'present') !== (row !== undefined),
          result: row,
        }
      }
      case 'list': {
        const keys = [...partition.rows.keys()].filter(
          (key) => key.startsWith(operation.prefix) && live(key) !== undefined,
        )
        const rows = keys
          .sort(byBytes)
          .slice(0, operation.limit)
          .map((key) => ({ key, ...(live(key) as Row) }))
        return { refused: false, result: rows }
      }
      case 'put': {
        const row = live(operation.key)
        const wanted = operation.if
        if (wanted !== undefined && (wanted === 'absent' ? row !== undefined : row?.version !== wanted)) {
          return { refused: true, result: { stored: false, row } }
        }
        const written = { value: operation.value, version: ++version }
        set(partition.rows, operation.key, { value: written, expiresAt: operation.expiresAt }, undo)
        return { refused: false, result: { stored: true, row: written } }
      }
      case 'delete': {
        const row = live(operation.key)
        if (operation.if !== undefined && row?.version !== operation.if)
          return { refused: true, result: { deleted: false } }
        remove(partition.rows, operation.key, undo)
        return { refused: false, result: { deleted: row !== undefined } }
      }
      case 'take': {
        const row = live(operation.key)
        remove(partition.rows, operation.key, undo)
        return { refused: row === undefined, result: row }
      }
      case 'mark': {
        const cell = partition.windows.get(operation.key)
        const before =
          cell === undefined || (cell.expiresAt !== undefined && cell.expiresAt <= now)
            ? emptyWindow
            : cell.value
        const marked = mark(before, operation.seq)
        if (marked.fresh)
          set(
            partition.windows,
            operation.key,
            { value: marked.window, expiresAt: operation.expiresAt },
            undo,
          )
        const { fresh, nextSeq } = marked
        return { refused: !fresh, result: nextSeq === undefined ? { fresh } : { fresh, nextSeq } }
      }
      case 'count': {
        const before = partition.counters.get(operation.key) ?? []
        const { events, retryAfter } = admit(before, operation.limits, operation.nowMs)
        if (events !== undefined) set(partition.counters, operation.key, events, undo)
        return { refused: events === undefined, result: { admitted: events !== undefined, retryAfter } }
      }
    }
  }

  function transact(
    name: string,
    operations: readonly Operation[],
    now: number,
  ): Outcome<readonly unknown[]> {
    if (closed) throw new AthError('store_unavailable', 'the store is closed')
    const partition = partitions.get(name) ?? { rows: new Map(), windows: new Map(), counters: new Map() }
    partitions.set(name, partition)
    const undo: Undo[] = []
    const results: unknown[] = []
    for (const [at, operation] of operations.entries()) {
      const { refused, result } = run(partition, operation, now, undo)
      results.push(result)
      const onRefusal = ('onRefusal' in operation ? operation.onRefusal : undefined) ?? 'abort'
      if (!refused || onRefusal === 'continue') continue
      if (onRefusal === 'abort') for (const step of undo.reverse()) step()
      return {
        outcome: onRefusal === 'abort' ? 'aborted' : 'stopped',
        at,
        results: padded(results, operations.length),
      }
    }
    return { outcome: 'done', results }
  }

  return {
    transact: async (partition, operations, now) => transact(partition, operations, now) as never,
    async sweep(now, limit) {
      let swept = 0
      for (const [name, { rows, windows, counters }] of partitions) {
        for (const cells of [rows, windows]) {
          for (const [key, { expiresAt }] of cells) {
            if (swept >= limit) return swept
            if (expiresAt !== undefined && expiresAt <= now && cells.delete(key)) swept++
          }
        }
        if (rows.size + windows.size + counters.size === 0) partitions.delete(name)
      }
      return swept
    },
    async close() {
      closed = true
      partitions.clear()
    },
  }
}

function set<Value>(map: Map<string, Value>, key: string, value: Value, undo: Undo[]): void {
  const before = map.get(key)
  undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)))
  map.set(key, value)
}

function remove<Value>(map: Map<string, Value>, key: string, undo: Undo[]): void {
  const before = map.get(key)
  if (before === undefined) return
  undo.push(() => map.set(key, before))
  map.delete(key)
}

/** In the order of UTF-8 bytes, which is that of code points. */
function byBytes(a: string, b: string): number {
  const [left, right] = [[...a], [...b]]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = ((left[i] as string).codePointAt(0) ?? 0) - ((right[i] as string).codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

const padded = (results: unknown[], length: number): unknown[] => [
  ...results,
  ...new Array(length - results.length).fill(undefined),
]
