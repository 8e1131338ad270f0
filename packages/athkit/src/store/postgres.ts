import { AthError } from '../errors.ts'
import { type PgPool, type PostgresJs, type Query, queryOf } from './postgres-client.ts'
import { MIGRATIONS } from './postgres-schema.ts'
import type { OutboxEntry, Outcome, Store } from './store.ts'

export type { PgConnection, PgPool, PostgresJs, PostgresJsQuery } from './postgres-client.ts'

export interface PostgresOptions {
  /** How long a transaction may take, waiting for a connection included; then it fails with `store_unavailable`. Default 5. */
  readonly timeoutSeconds?: number
  /** Told what makes the store less than durable, at start-up. Default: a process warning. */
  readonly warn?: (message: string) => void
}

/** Migrations of several nodes wait for each other here. */
const LOCK = 7_305_214_001n
const MIGRATION_TIMEOUT_MS = 60_000

/**
 * The contract on PostgreSQL 13 or newer, in a schema of its own, `athkit`, which is made and migrated here. Each transaction is one
 * statement: one round trip, one commit. The client is the caller's, who closes it after the store.
 *
 * @param client a `Pool` of `pg`, or what `postgres` returns
 * @throws AthError `store_unavailable` when the database cannot be reached or migrated
 */
export async function postgres(client: PgPool | PostgresJs, options: PostgresOptions = {}): Promise<Store> {
  const { timeoutSeconds = 5, warn = (message) => process.emitWarning(message, 'AthkitStore') } = options
  const query = queryOf(client)
  try {
    await migrate(query)
    for (const message of await weaknesses(query, timeoutSeconds * 1000)) warn(message)
  } catch (cause) {
    throw unavailable(cause)
  }
  return storeOf(query, timeoutSeconds * 1000)
}

/** A database that is up to date is only asked so: the role of a service needs no right to make anything then. */
async function migrate(query: Query): Promise<void> {
  const ask = (text: string) => query(text, [], MIGRATION_TIMEOUT_MS)
  const [found] = (await ask("SELECT to_regclass('athkit.migrations') IS NOT NULL AS found")) as [Found]
  if (!found.found) await ask(PREPARE)
  const [row] = (await ask('SELECT count(*)::text AS done FROM athkit.migrations')) as [{ done: string }]
  for (let next = Number(row.done); next < MIGRATIONS.length; next++) {
    await ask(migration(next)).catch((error: unknown) => {
      if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error
    })
  }
}

interface Found {
  readonly found: boolean
}

/** Another node, which had the lock before, made this migration. */
const UNIQUE_VIOLATION = '23505'

/** Several statements without values are one transaction, which holds the lock to its end. */
const PREPARE = `
  SELECT pg_advisory_xact_lock(${LOCK});
  CREATE SCHEMA IF NOT EXISTS athkit;
  CREATE TABLE IF NOT EXISTS athkit.migrations (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`

const migration = (number: number) => `
  SELECT pg_advisory_xact_lock(${LOCK});
  INSERT INTO athkit.migrations (number) VALUES (${number});
  ${MIGRATIONS[number]}`

async function weaknesses(query: Query, timeoutMs: number): Promise<readonly string[]> {
  const text = "SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages"
  const [row] = (await query(text, [], timeoutMs)) as [{ fsync: string; pages: string }]
  const off = [row.fsync === 'on' ? '' : 'fsync', row.pages === 'on' ? '' : 'full_page_writes'].filter(
    Boolean,
  )
  if (off.length === 0) return []
  return [`PostgreSQL runs with ${off.join(' and ')} off: a power cut can lose what was acknowledged`]
}

interface TextRow {
  readonly partition: string
  readonly key: string
  readonly value: string
  readonly version: string
  readonly ends: string | null
}

/** What is read at a time of what may be long. */
const PAGE = 500

function storeOf(query: Query, timeoutMs: number): Store {
  let closed = false
  const underWay = new Set<Promise<unknown>>()

  async function ask<T>(text: string, values: readonly string[]): Promise<readonly T[]> {
    if (closed) throw unavailable('closed')
    const asking = query(text, values, timeoutMs)
    underWay.add(asking)
    try {
      return (await asking) as readonly T[]
    } catch (cause) {
      throw unavailable(cause)
    } finally {
      underWay.delete(asking)
    }
  }

  return {
    async transact(partition, operations, now) {
      const values = [partition, JSON.stringify(operations), String(now)]
      const [row] = await ask<{ outcome: string }>(TRANSACT, values)
      return outcomeOf((row as { outcome: string }).outcome, operations.length) as never
    },
    async *outbox() {
      for (let after = '0'; ; ) {
        const page = await ask<OutboxEntry & { readonly seq: string }>(OUTBOX, [after, String(PAGE)])
        for (const { partition, id, value } of page) yield { partition, id, value }
        if (page.length < PAGE) return
        after = page.at(-1)?.seq ?? after
      }
    },
    async *rows() {
      for (let [partition, key] = ['', '']; ; ) {
        const page = await ask<TextRow>(ROWS, [partition, key, String(PAGE)])
        for (const { version, ends, ...row } of page) {
          const expires = ends === null ? {} : { expiresAt: Number(ends) }
          yield { ...row, version: Number(version), ...expires }
        }
        const last = page.at(-1)
        if (last === undefined || page.length < PAGE) return
        ;({ partition, key } = last)
      }
    },
    async sweep(now, limit) {
      const [row] = await ask<{ swept: string }>(SWEEP, [String(now), String(limit)])
      return Number(row?.swept)
    },
    async close() {
      closed = true
      await Promise.allSettled(underWay)
    },
  }
}

const TRANSACT = 'SELECT athkit.transact($1::text, ($2::text)::jsonb, ($3::text)::bigint) AS outcome'
const OUTBOX = `SELECT o.seq::text, o.partition, o.id, o.value FROM athkit.outbox o
  WHERE o.seq > ($1::text)::bigint ORDER BY o.seq LIMIT ($2::text)::integer`
const ROWS = `SELECT c.partition, c.key, c.value, c.version::text, c.expires_at::text AS ends FROM athkit.cells c
  WHERE c.kind = 'row' AND (c.partition, c.kind, c.key) > ($1::text, 'row', $2::text)
  ORDER BY c.partition, c.kind, c.key LIMIT ($3::text)::integer`
/** What was written anew since it was found is looked at once more, and stays. */
const SWEEP = `WITH expired AS (
    SELECT partition, kind, key FROM athkit.cells WHERE expires_at <= ($1::text)::bigint
    LIMIT ($2::text)::integer FOR UPDATE SKIP LOCKED
  ), swept AS (
    DELETE FROM athkit.cells c USING expired e
    WHERE c.partition = e.partition AND c.kind = e.kind AND c.key = e.key AND c.expires_at <= ($1::text)::bigint RETURNING 1
  ) SELECT count(*)::text AS swept FROM swept`

function outcomeOf(text: string, length: number): Outcome<readonly unknown[]> {
  const { outcome, at, results } = JSON.parse(text) as {
    outcome: Outcome<unknown>['outcome']
    at: number
    results: readonly unknown[]
  }
  const all: unknown[] = new Array(length).fill(undefined)
  for (const [index, result] of results.entries()) all[index] = withoutNull(result)
  return outcome === 'done' ? { outcome, results: all } : { outcome, at, results: all }
}

/** An absent row is `null` in JSON, and `undefined` in the contract. */
function withoutNull(result: unknown): unknown {
  if (result === null) return undefined
  const put = result as { row?: unknown }
  return put.row === null ? { ...put, row: undefined } : result
}

const unavailable = (cause: unknown) =>
  new AthError('store_unavailable', 'PostgreSQL did not commit', { cause })
