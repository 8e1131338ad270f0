import { admit, type Events } from './rate.ts'
import type { Operation, Outcome, Row } from './store.ts'
import { emptyWindow, mark, type ReplayWindow } from './window.ts'

/**
 * One partition as an adapter holds it, for the length of one transaction. Cells that have expired are absent: the adapter knows
 * `now`. What the conditions of operations mean is written once, below, for every adapter that runs them in its own process.
 */
export interface Cells {
  row(key: string): Row | undefined
  /** In the order of the keys' UTF-8 bytes. */
  list(prefix: string, limit: number): readonly (Row & { readonly key: string })[]
  /** Writes the row in a version that it never had before. */
  putRow(key: string, value: string, expiresAt: number | undefined): Row
  deleteRow(key: string): void
  window(key: string): ReplayWindow | undefined
  putWindow(key: string, window: ReplayWindow, expiresAt: number | undefined): void
  events(key: string): Events | undefined
  /** @param expiresAt Unix seconds, when the last of them has left every window */
  putEvents(key: string, events: Events, expiresAt: number): void
  /** An id that is there already stays as it is. */
  append(id: string, value: string): void
  drop(ids: readonly string[]): void
}

/**
 * Runs the operations in order. One that is refused has written nothing; undoing what stands before one that aborts is the adapter's.
 */
export function run(cells: Cells, operations: readonly Operation[]): Outcome<readonly unknown[]> {
  const results: unknown[] = new Array(operations.length).fill(undefined)
  for (let at = 0; at < operations.length; at++) {
    const operation = operations[at] as Operation
    const { refused, result } = step(cells, operation)
    results[at] = result
    const onRefusal = ('onRefusal' in operation ? operation.onRefusal : undefined) ?? 'abort'
    if (refused && onRefusal !== 'continue') {
      return { outcome: onRefusal === 'abort' ? 'aborted' : 'stopped', at, results }
    }
  }
  return { outcome: 'done', results }
}

interface Step {
  readonly refused: boolean
  readonly result: unknown
}

function step(cells: Cells, operation: Operation): Step {
  switch (operation.op) {
    case 'get': {
      const result = cells.row(operation.key)
      const wanted = operation.if
      return { refused: wanted !== undefined && (wanted === 'present') !== (result !== undefined), result }
    }
    case 'list':
      return { refused: false, result: cells.list(operation.prefix, operation.limit) }
    case 'put': {
      const { key, value, expiresAt, if: wanted } = operation
      if (wanted !== undefined) {
        const row = cells.row(key)
        const holds = wanted === 'absent' ? row === undefined : row?.version === wanted
        if (!holds) return { refused: true, result: { stored: false, row } }
      }
      return { refused: false, result: { stored: true, row: cells.putRow(key, value, expiresAt) } }
    }
    case 'delete': {
      const row = cells.row(operation.key)
      if (operation.if !== undefined && row?.version !== operation.if) {
        return { refused: true, result: { deleted: false } }
      }
      cells.deleteRow(operation.key)
      return { refused: false, result: { deleted: row !== undefined } }
    }
    case 'take': {
      const result = cells.row(operation.key)
      if (result !== undefined) cells.deleteRow(operation.key)
      return { refused: result === undefined, result }
    }
    case 'mark': {
      const { window, ...result } = mark(cells.window(operation.key) ?? emptyWindow, operation.seq)
      if (result.fresh) cells.putWindow(operation.key, window, operation.expiresAt)
      return { refused: !result.fresh, result }
    }
    case 'count': {
      const { key, limits, nowMs } = operation
      const { events, retryAfter } = admit(cells.events(key) ?? [], limits, nowMs)
      const longest = Math.max(0, ...(events ?? []).map(([windowSeconds]) => windowSeconds))
      if (events !== undefined) cells.putEvents(key, events, Math.ceil(nowMs / 1000) + 2 * longest)
      return { refused: events === undefined, result: { admitted: events !== undefined, retryAfter } }
    }
    case 'append':
      cells.append(operation.id, operation.value)
      return { refused: false, result: undefined }
    case 'drop':
      cells.drop(operation.ids)
      return { refused: false, result: undefined }
  }
}
