import type { Events } from './rate.ts'
import type { Cells } from './run.ts'
import type { Statement } from './sqlite-driver.ts'
import type { Versions } from './sqlite-versions.ts'
import type { Row } from './store.ts'
import { decodeWindow, encodeWindow, type ReplayWindow } from './window.ts'

export interface CellStatements {
  /** By partition, kind and key, the expired ones too. */
  readonly get: Statement
  /** Live rows by partition, prefix three times, Unix seconds, limit. */
  readonly list: Statement
  readonly put: Statement
  readonly delete: Statement
  readonly append: Statement
  readonly drop: Statement
}

/** What the values of each kind are here; in the file they are text. */
interface Kinds {
  row: string
  window: ReplayWindow
  events: Events
}
type Kind = keyof Kinds

interface Cell {
  readonly value: Kinds[Kind]
  readonly version: number
  /** Unix seconds. */
  readonly expiresAt: number | null
}

interface Known {
  /** undefined: there is none. */
  cell: Cell | undefined
  isWritten: boolean
}

/**
 * The cells of one transaction of SQLite, in which many of the contract's may run one after the other: each is read once and written
 * once, when {@link flush} says so. Nobody else can write meanwhile, so nothing here can be out of date; and nothing is remembered longer.
 */
export class SqliteCells implements Cells {
  readonly #statements: CellStatements
  readonly #versions: Versions
  readonly #partitions = new Map<string, Map<string, Known>>()
  readonly #written: {
    readonly partition: string
    readonly kind: Kind
    readonly key: string
    readonly known: Known
  }[] = []
  #partition = ''
  #cells = new Map<string, Known>()
  #now = 0

  constructor(statements: CellStatements, versions: Versions) {
    this.#statements = statements
    this.#versions = versions
  }

  /** Whose cells are meant from now on. @param now Unix seconds */
  open(partition: string, now: number): this {
    if (partition !== this.#partition) {
      this.#partition = partition
      this.#cells = this.#partitions.get(partition) ?? new Map()
      this.#partitions.set(partition, this.#cells)
    }
    this.#now = now
    return this
  }

  /** Writes what was changed: before it commits, and before a savepoint, which could take it back. */
  flush(): void {
    for (const { partition, kind, key, known } of this.#written) {
      known.isWritten = false
      const { cell } = known
      if (cell === undefined) this.#statements.delete.run([partition, kind, key])
      else {
        const value = encode(kind, cell.value)
        this.#statements.put.run([partition, kind, key, value, cell.version, cell.expiresAt])
      }
    }
    this.#written.length = 0
  }

  /** After a rollback nothing that was known counts. */
  forget(): void {
    this.#written.length = 0
    this.#partitions.clear()
    this.#partition = ''
    this.#cells = new Map()
  }

  row(key: string): Row | undefined {
    const cell = this.#live('row', key)
    return cell === undefined ? undefined : { value: cell.value as string, version: cell.version }
  }

  list(prefix: string, limit: number): readonly (Row & { readonly key: string })[] {
    this.flush()
    const given = [this.#partition, prefix, prefix, prefix, this.#now, limit]
    const rows = this.#statements.list.all(given) as (Row & { readonly key: string })[]
    return rows.map(({ key, value, version }) => ({ key, value, version }))
  }

  putRow(key: string, value: string, expiresAt: number | undefined): Row {
    const version = this.#versions.next()
    this.#write('row', key, { value, version, expiresAt: expiresAt ?? null })
    return { value, version }
  }

  deleteRow(key: string): void {
    this.#write('row', key, undefined)
  }

  window(key: string): ReplayWindow | undefined {
    return this.#live('window', key)?.value as ReplayWindow | undefined
  }

  putWindow(key: string, value: ReplayWindow, expiresAt: number | undefined): void {
    this.#write('window', key, { value, version: this.#versions.next(), expiresAt: expiresAt ?? null })
  }

  events(key: string): Events | undefined {
    return this.#live('events', key)?.value as Events | undefined
  }

  putEvents(key: string, value: Events, expiresAt: number): void {
    this.#write('events', key, { value, version: this.#versions.next(), expiresAt })
  }

  append(id: string, value: string): void {
    this.#statements.append.run([this.#partition, id, value])
  }

  drop(ids: readonly string[]): void {
    for (const id of ids) this.#statements.drop.run([this.#partition, id])
  }

  #live(kind: Kind, key: string): Cell | undefined {
    const name = NAMES[kind] + key
    let known = this.#cells.get(name)
    if (known === undefined) {
      known = { cell: this.#read(kind, key), isWritten: false }
      this.#cells.set(name, known)
    }
    const { cell } = known
    return cell === undefined || (cell.expiresAt !== null && cell.expiresAt <= this.#now) ? undefined : cell
  }

  #read(kind: Kind, key: string): Cell | undefined {
    const found = this.#statements.get.get([this.#partition, kind, key]) as Stored | undefined
    if (found === undefined) return undefined
    return { value: decode(kind, found.value), version: found.version, expiresAt: found.expires_at }
  }

  #write(kind: Kind, key: string, cell: Cell | undefined): void {
    const name = NAMES[kind] + key
    const known = this.#cells.get(name) ?? { cell: undefined, isWritten: false }
    this.#cells.set(name, known)
    known.cell = cell
    if (known.isWritten) return
    known.isWritten = true
    this.#written.push({ partition: this.#partition, kind, key, known })
  }
}

interface Stored {
  readonly value: string
  readonly version: number
  readonly expires_at: number | null
}

/** Before the keys of each kind, so that they never meet. */
const NAMES: Record<Kind, string> = { row: 'r', window: 'w', events: 'e' }

const decode = (kind: Kind, text: string): Kinds[Kind] =>
  kind === 'row' ? text : kind === 'window' ? decodeWindow(text) : (JSON.parse(text) as Events)

const encode = (kind: Kind, value: Kinds[Kind]): string =>
  kind === 'row'
    ? (value as string)
    : kind === 'window'
      ? encodeWindow(value as ReplayWindow)
      : JSON.stringify(value)
