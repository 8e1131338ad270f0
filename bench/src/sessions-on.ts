import { statSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres } from '@athkit/chaos-service/dist/servers/postgres.js'
import { compareNodes } from './nodes.ts'
import { compareSessions } from './sessions.ts'

export function sessionsOnSqlite(folder: string, many: number): Promise<void> {
  const stores = { few: join(folder, 'few.db'), many: join(folder, 'many.db') }
  return compareSessions('SQLite', many, { ...stores, bytes: async (file) => statSync(file).size })
}

/** Databases of one server: one with few sessions, one with many, one that two nodes share. */
export async function measureOnPostgres(many: number): Promise<void> {
  const server = await startPostgres()
  try {
    const at = (name: string) => server.url.replace(/\/postgres$/, `/${name}`)
    for (const name of ['few', 'many', 'nodes']) await server.ask(`CREATE DATABASE ${name}`)
    const bytes = async (url: string) => {
      const name = url.slice(url.lastIndexOf('/') + 1)
      const [size] = (await server.ask(`SELECT pg_database_size('${name}')::text AS bytes`)) as [
        { bytes: string },
      ]
      return Number(size.bytes)
    }
    await compareSessions('PostgreSQL', many, { few: at('few'), many: at('many'), bytes })
    await compareNodes('PostgreSQL', at('nodes'))
  } finally {
    await server.stop()
  }
}
