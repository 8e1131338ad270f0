import { AthError } from '../errors.ts'
import { run } from './run.ts'
import { SqliteCells } from './sqlite-cells.ts'
import type { Database } from './sqlite-driver.ts'
import { openFile } from './sqlite-file.ts'
import { type Versions, versionsOf } from './sqlite-versions.ts'
import type { Operation, OutboxEntry, Outcome, Store, StoredRow } from './store.ts'

/**
 * The contract in one SQLite file: the embedded default. What is asked for in the same turn of the event loop commits together, so a
 * busy service pays for one write to the disk and not for each; every answer waits for that commit (WAL, `synchronous=FULL`).
 * Several processes may share the file.
 *
 * @param file a path, or `:memory:`
 * @param maxBytes how large the file may grow; then what needs more fails with `store_unavailable`, until something expires. Without it
 *   the disk is the limit, and full it is the same
 * @throws Error when the file cannot be opened, or there is no SQLite: Node ≥ 22.13 has one, else install the peer `libsql`
 */
export async function sqlite(file: string, { maxBytes }: { maxBytes?: number } = {}): Promise<Store> {
  const database = await openFile(file)
  if (maxBytes !== undefined) limit(database, maxBytes)
  return storeOf(database)
}

function limit(database: Database, maxBytes: number): void {
  const { page_size: size } = database.prepare('PRAGMA page_size').get([]) as { page_size: number }
  database.prepare(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / size))}`).get([])
}

/** A connection, and what this process has at hand for it. */
interface Connection {
  readonly database: Database
  readonly statements: ReturnType<typeof prepare>
  readonly versions: Versions
}

interface Job {
  readonly partition: string
  readonly operations: readonly Operation[]
  readonly now: number
  readonly resolve: (outcome: Outcome<readonly unknown[]>) => void
  readonly reject: (error: AthError) => void
}

function storeOf(database: Database): Store {
  const statements = prepare(database)
  const connection: Connection = { database, statements, versions: versionsOf(database) }
  let waiting: Job[] = []
  let closed = false

  function settle(jobs: readonly Job[]): void {
    try {
      const outcomes = commit(connection, jobs)
      jobs.forEach((job, index) => {
        job.resolve(outcomes[index] as Outcome<readonly unknown[]>)
      })
    } catch (cause) {
      for (const job of jobs) job.reject(unavailable(cause))
    }
  }

  function commitWaiting(): void {
    const jobs = waiting
    waiting = []
    if (jobs.length > 0) settle(jobs)
  }

  return {
    transact: (partition, operations, now) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(unavailable('closed'))
        const job: Job = { partition, operations, now, resolve: resolve as Job['resolve'], reject }
        // What only reads has no disk to wait for, and nothing to share with others.
        if (!writes(job)) settle([job])
        else if (waiting.push(job) === 1) setImmediate(commitWaiting)
      }),
    async *outbox() {
      for (let after = 0; ; ) {
        if (closed) throw unavailable('closed')
        const page = guarded(() => statements.outbox.all([after, PAGE])) as (OutboxEntry & { seq: number })[]
        for (const { partition, id, value } of page) yield { partition, id, value }
        if (page.length < PAGE) return
        after = page.at(-1)?.seq ?? after
      }
    },
    async *rows() {
      for (let [partition, key] = ['', '']; ; ) {
        if (closed) throw unavailable('closed')
        const page = guarded(() => statements.rows.all([partition, key, PAGE])) as (StoredRow & Expiring)[]
        for (const { expires_at, ...row } of page) {
          yield { ...row, ...(expires_at === null ? {} : { expiresAt: expires_at }) }
        }
        const last = page.at(-1)
        if (last === undefined || page.length < PAGE) return
        ;({ partition, key } = last)
      }
    },
    async sweep(now, limit) {
      if (closed) throw unavailable('closed')
      return guarded(() => statements.sweep.run([now, limit]).changes)
    },
    async close() {
      if (closed) return
      commitWaiting()
      closed = true
      database.close()
    },
  }
}

interface Expiring {
  readonly expires_at: number | null
}

/** What is read at a time of what may be long. */
const PAGE = 500

const unavailable = (cause: unknown) => new AthError('store_unavailable', 'SQLite did not commit', { cause })

function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw unavailable(cause)
  }
}

/**
 * One transaction of SQLite around all of them; one that may have something to undo has a savepoint of its own. Where nothing is
 * written, nobody's writing is waited for: a reader sees what was committed last. One read by itself is a transaction already.
 */
function commit(
  { database, statements, versions }: Connection,
  jobs: readonly Job[],
): readonly Outcome<readonly unknown[]>[] {
  const cells = new SqliteCells(statements, versions)
  const runJob = ({ partition, operations, now }: Job) => run(cells.open(partition, now), operations)
  const [first] = jobs
  if (jobs.length === 1 && first?.operations.length === 1 && !writes(first)) return [runJob(first)]
  database.exec(jobs.some(writes) ? 'BEGIN IMMEDIATE' : 'BEGIN')
  try {
    const outcomes = jobs.map((job) => {
      if (!mayUndo(job)) return runJob(job)
      cells.flush()
      database.exec('SAVEPOINT one')
      const outcome = runJob(job)
      if (outcome.outcome === 'aborted') {
        database.exec('ROLLBACK TO one')
        cells.forget()
        versions.drop()
      }
      database.exec('RELEASE one')
      return outcome
    })
    cells.flush()
    database.exec('COMMIT')
    return outcomes
  } catch (error) {
    versions.drop()
    try {
      database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself: the first error is the one to tell.
    }
    throw error
  }
}

const isWrite = ({ op }: Operation): boolean => op !== 'get' && op !== 'list'

const writes = ({ operations }: Job): boolean => operations.some(isWrite)

/** Whether an operation may abort behind one that has written: one that is refused has written nothing itself. */
function mayUndo({ operations }: Job): boolean {
  const first = operations.findIndex(isWrite)
  return first >= 0 && operations.slice(first + 1).some(mayAbort)
}

/** Whether its condition, if it has one, undoes what stands before it. */
function mayAbort(operation: Operation): boolean {
  const { op } = operation
  const isConditional =
    op === 'take' || op === 'mark' || op === 'count' || ('if' in operation && operation.if !== undefined)
  return isConditional && (operation.onRefusal ?? 'abort') === 'abort'
}

function prepare(database: Database) {
  const live = '(expires_at IS NULL OR expires_at > ?)'
  return {
    get: database.prepare(
      'SELECT value, version, expires_at FROM cells WHERE partition = ? AND kind = ? AND key = ?',
    ),
    list: database.prepare(
      `SELECT key, value, version FROM cells WHERE partition = ? AND kind = 'row' AND key >= ? AND substr(key, 1, length(?)) = ? AND ${live}
         ORDER BY key LIMIT ?`,
    ),
    put: database.prepare(
      'INSERT OR REPLACE INTO cells (partition, kind, key, value, version, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    delete: database.prepare('DELETE FROM cells WHERE partition = ? AND kind = ? AND key = ?'),
    append: database.prepare('INSERT OR IGNORE INTO outbox (partition, id, value) VALUES (?, ?, ?)'),
    drop: database.prepare('DELETE FROM outbox WHERE partition = ? AND id = ?'),
    outbox: database.prepare(
      'SELECT seq, partition, id, value FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?',
    ),
    rows: database.prepare(
      `SELECT partition, key, value, version, expires_at FROM cells
         WHERE kind = 'row' AND (partition, kind, key) > (?, 'row', ?) ORDER BY partition, kind, key LIMIT ?`,
    ),
    sweep: database.prepare(
      'DELETE FROM cells WHERE (partition, kind, key) IN (SELECT partition, kind, key FROM cells WHERE expires_at <= ? LIMIT ?)',
    ),
  }
}
