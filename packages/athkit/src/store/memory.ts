import { AthError } from '../errors.ts'
import type { Events } from './rate.ts'
import { type Cells, run } from './run.ts'
import type { Operation, Row, Store } from './store.ts'
import type { ReplayWindow } from './window.ts'

interface Cell<Value> {
  readonly value: Value
  readonly expiresAt: number | undefined
}

interface Kinds {
  rows: Row
  windows: ReplayWindow
  counters: Events
  /** Their versions tell in which order they were appended. */
  outbox: Row
}

type Cellar<Kind extends keyof Kinds> = Map<string, Cell<Kinds[Kind]>>

/** A kind has its map once there is something in it: most partitions hold a row or two, and there are many. */
type Partition = { [Kind in keyof Kinds]?: Cellar<Kind> }

/**
 * The contract in the memory of one process: for tests, and for services that may forget everything when they stop. Each transaction
 * runs without a pause, so nothing comes between its operations.
 */
export function memory(): Store {
  const partitions = new Map<string, Partition>()
  let version = 0
  let closed = false

  function transact(name: string, operations: readonly Operation[], now: number) {
    if (closed) throw new AthError('store_unavailable', 'the store is closed')
    const partition = partitions.get(name) ?? {}
    const undo: (() => void)[] = []
    const outcome = run(
      cellsOf(partition, now, undo, () => ++version),
      operations,
    )
    if (outcome.outcome === 'aborted') for (const step of undo.reverse()) step()
    if (isEmpty(partition)) partitions.delete(name)
    else partitions.set(name, partition)
    return outcome
  }

  return {
    transact: async (partition, operations, now) => transact(partition, operations, now) as never,
    async *outbox() {
      for (const [name, { outbox }] of [...partitions]) {
        const entries = [...(outbox ?? [])].map(([id, { value }]) => ({ id, ...value }))
        entries.sort((one, other) => one.version - other.version)
        for (const { id, value } of entries) yield { partition: name, id, value }
      }
    },
    async *rows() {
      for (const [partition, { rows }] of [...partitions]) {
        for (const [key, { value, expiresAt }] of [...(rows ?? [])]) {
          yield { partition, key, ...value, ...(expiresAt === undefined ? {} : { expiresAt }) }
        }
      }
    },
    async sweep(now, limit) {
      let swept = 0
      for (const [name, partition] of partitions) {
        for (const cells of Object.values(partition) as Map<string, Cell<unknown>>[]) {
          for (const [key, cell] of cells) {
            if (swept >= limit) return swept
            if (!isLive(cell, now) && cells.delete(key)) swept++
          }
        }
        if (isEmpty(partition)) partitions.delete(name)
      }
      return swept
    },
    async close() {
      closed = true
      partitions.clear()
    },
  }
}

const isEmpty = ({ rows, windows, counters, outbox }: Partition) =>
  [rows, windows, counters, outbox].every((cells) => cells === undefined || cells.size === 0)

const isLive = ({ expiresAt }: Cell<unknown>, now: number) => expiresAt === undefined || expiresAt > now

function cellsOf(partition: Partition, now: number, undo: (() => void)[], nextVersion: () => number): Cells {
  const read = <Kind extends keyof Kinds>(kind: Kind, key: string): Kinds[Kind] | undefined => {
    const cell = partition[kind]?.get(key)
    return cell !== undefined && isLive(cell, now) ? cell.value : undefined
  }
  const write = <Kind extends keyof Kinds>(
    kind: Kind,
    key: string,
    cell: Cell<Kinds[Kind]> | undefined,
  ): void => {
    const cells: Cellar<Kind> = partition[kind] ?? new Map()
    partition[kind] = cells as Partition[Kind]
    const before = cells.get(key)
    undo.push(() => (before === undefined ? cells.delete(key) : cells.set(key, before)))
    if (cell === undefined) cells.delete(key)
    else cells.set(key, cell)
  }
  return {
    row: (key) => read('rows', key),
    list: (prefix, limit) =>
      [...(partition.rows?.keys() ?? [])]
        .filter((key) => key.startsWith(prefix) && read('rows', key) !== undefined)
        .sort(byBytes)
        .slice(0, limit)
        .map((key) => ({ key, ...(read('rows', key) as Row) })),
    putRow(key, value, expiresAt) {
      const row = { value, version: nextVersion() }
      write('rows', key, { value: row, expiresAt })
      return row
    },
    deleteRow: (key) => write('rows', key, undefined),
    window: (key) => read('windows', key),
    putWindow: (key, value, expiresAt) => write('windows', key, { value, expiresAt }),
    events: (key) => read('counters', key),
    putEvents: (key, value, expiresAt) => write('counters', key, { value, expiresAt }),
    append(id, value) {
      if (partition.outbox?.has(id) === true) return
      write('outbox', id, { value: { value, version: nextVersion() }, expiresAt: undefined })
    },
    drop(ids) {
      for (const id of ids) write('outbox', id, undefined)
    },
  }
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
