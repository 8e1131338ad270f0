import { closeSync, existsSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, isBusy, openDatabase } from './sqlite-driver.ts'

/** The database in a file, which is made, readable for its owner alone, where there is none; or in memory. */
export async function openFile(file: string): Promise<Database> {
  if (file !== ':memory:') makeFile(file)
  const database = await openDatabase(file)
  await setUp(database)
  return database
}

/**
 * One that is there is not opened: to close it again would let go of the locks that another store of this process holds on it (POSIX
 * counts them by process), and the next process to leave the file would take its WAL away.
 */
function makeFile(file: string): void {
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
}

const BUSY_MS = 5000
const AGAIN_AFTER_MS = 10

/** Several processes may make the file together. For some of what that takes, such as going over to a WAL, SQLite does not wait by itself. */
async function setUp(database: Database): Promise<void> {
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
  const end = performance.now() + BUSY_MS
  for (;;) {
    try {
      database.exec(SCHEMA)
      return
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) {
        database.close()
        throw error
      }
    }
    await sleep(AGAIN_AFTER_MS)
  }
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS cells (
    partition TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
    value TEXT NOT NULL, version INTEGER NOT NULL, expires_at INTEGER,
    PRIMARY KEY (partition, kind, key)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS cells_expiry ON cells (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY, partition TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (partition, id)
  );
  CREATE TABLE IF NOT EXISTS versions (last INTEGER NOT NULL);
  INSERT INTO versions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM versions);
`
