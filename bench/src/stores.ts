import type { Store } from 'athkit/store'
import { memory } from 'athkit/store/memory'
import { postgres } from 'athkit/store/postgres'
import { sqlite } from 'athkit/store/sqlite'
import pg from 'pg'

/** Connections of one process to PostgreSQL. */
const CONNECTIONS = 16

/** @param at `memory`, a `postgres:` URL, or the file of SQLite */
export async function openStore(at: string): Promise<Store> {
  if (at === 'memory') return memory()
  if (!at.startsWith('postgres:')) return sqlite(at)
  const pool = new pg.Pool({ connectionString: at, max: CONNECTIONS })
  const store = await postgres(pool)
  return { ...store, close: () => store.close().then(() => pool.end()) }
}
