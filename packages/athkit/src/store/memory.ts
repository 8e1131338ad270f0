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
  let closed = false

  const cells = new MemoryCells()

  function transact(name: string, operations: readonly Operation[], now: number) {
    if (closed) throw new AthError('store_unavailable', 'the store is closed')
    const known = partitions.get(name)
    const partition = known ?? {}
    cells.open(partition, now)
    const outcome = run(cells, operations)
    if (outcome.outcome === 'aborted') cells.undo()
    if (isEmpty(partition)) partitions.delete(name)
    else if (known === undefined) partitions.set(name, partition)
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

/** What a cell was before it was written. */
interface Before {
  readonly cells: Map<string, unknown>
  readonly key: string
  readonly cell: unknown
}

/** The cells of one partition after another: a transaction runs without a pause, so one object serves them all. */
class MemoryCells implements Cells {
  #partition: Partition = {}
  #now = 0
  #version = 0
  #before: Before[] = []

  open(partition: Partition, now: number): void {
    this.#partition = partition
    this.#now = now
    this.#before = []
  }

  undo(): void {
    for (const { cells, key, cell } of this.#before.reverse()) {
      if (cell === undefined) cells.delete(key)
      else cells.set(key, cell)
    }
  }

  row(key: string): Row | undefined {
    return this.#live(this.#partition.rows?.get(key))
  }

  list(prefix: string, limit: number): readonly (Row & { readonly key: string })[] {
    return [...(this.#partition.rows?.keys() ?? [])]
      .filter((key) => key.startsWith(prefix) && this.row(key) !== undefined)
      .sort(byBytes)
      .slice(0, limit)
      .map((key) => ({ key, ...(this.row(key) as Row) }))
  }

  putRow(key: string, value: string, expiresAt: number | undefined): Row {
    const row = { value, version: ++this.#version }
    this.#write('rows', key, { value: row, expiresAt })
    return row
  }

  deleteRow(key: string): void {
    this.#write('rows', key, undefined)
  }

  window(key: string): ReplayWindow | undefined {
    return this.#live(this.#partition.windows?.get(key))
  }

  putWindow(key: string, value: ReplayWindow, expiresAt: number | undefined): void {
    this.#write('windows', key, { value, expiresAt })
  }

  events(key: string): Events | undefined {
    return this.#live(this.#partition.counters?.get(key))
  }

  putEvents(key: string, value: Events, expiresAt: number): void {
    this.#write('counters', key, { value, expiresAt })
  }

  append(id: string, value: string): void {
    if (this.#partition.outbox?.has(id) === true) return
    this.#write('outbox', id, { value: { value, version: ++this.#version }, expiresAt: undefined })
  }

  drop(ids: readonly string[]): void {
    for (const id of ids) this.#write('outbox', id, undefined)
  }

  #live<Value>(cell: Cell<Value> | undefined): Value | undefined {
    return cell !== undefined && isLive(cell, this.#now) ? cell.value : undefined
  }

  #write<Kind extends keyof Kinds>(kind: Kind, key: string, cell: Cell<Kinds[Kind]> | undefined): void {
    const cells: Cellar<Kind> = this.#partition[kind] ?? new Map()
    this.#partition[kind] = cells as Partition[Kind]
    this.#before.push({ cells, key, cell: cells.get(key) })
    if (cell === undefined) cells.delete(key)
    else cells.set(key, cell)
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
