import pg from 'pg'
import postgresJs from 'postgres'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../chaos/service/src/servers/postgres.ts'
import { postgres } from '../../src/store/postgres.ts'
import type { Store } from '../../src/store/store.ts'
import { storeContract } from '../../src/store/testing.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server?.stop())

async function throughPg(): Promise<Store> {
  const pool = new pg.Pool({ connectionString: server.url, max: 8 })
  const store = await postgres(pool)
  const close = async () => {
    await store.close()
    if (!pool.ended) await pool.end()
  }
  return { ...store, close }
}

async function throughPostgres(): Promise<Store> {
  const sql = postgresJs(server.url, { max: 8, onnotice: () => undefined })
  const store = await postgres(sql)
  const close = async () => {
    await store.close()
    await sql.end()
  }
  return { ...store, close }
}

describe.each([
  ['pg', throughPg],
  ['postgres', throughPostgres],
])('PostgreSQL through %s', (_, open) => {
  async function empty(): Promise<Store> {
    const store = await open()
    await server.ask('TRUNCATE athkit.cells, athkit.outbox')
    return store
  }
  for (const { name, run } of storeContract(empty, open)) test(name, run, 20_000)
})
