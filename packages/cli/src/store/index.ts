import type { Store } from 'athkit/store'
import { postgres } from 'athkit/store/postgres'
import { redis } from 'athkit/store/redis'
import { sealed } from 'athkit/store/sealed'
import { sqlite } from 'athkit/store/sqlite'
import { storeKeyIn } from './key-file.ts'

export { secretIn } from './key-file.ts'

const CONNECTIONS = 10

export interface OpenedStore {
  readonly store: Store
  close(): Promise<void>
}

/**
 * The store that a URL names, `sqlite:FILE`, `postgres://…` or `redis://…`, and what closes it with its connections. The clients of the last
 * two are installed by whoever uses them: `pg`, `redis`.
 *
 * @param keyFiles under whose keys it is encrypted at rest: all of them open, the first seals. None: it is not encrypted
 */
export async function openStore(url: string, keyFiles: readonly string[] = []): Promise<OpenedStore> {
  const [key, ...formerKeys] = await Promise.all(keyFiles.map(storeKeyIn))
  const { store, close } = await openPlain(url)
  return { store: key === undefined ? store : sealed(store, { key, formerKeys }), close }
}

async function openPlain(url: string): Promise<OpenedStore> {
  if (url.startsWith('sqlite:')) {
    const store = await sqlite(url.slice('sqlite:'.length))
    return { store, close: () => store.close() }
  }
  return url.startsWith('postgres') ? openPostgres(url) : openRedis(url)
}

async function openPostgres(url: string) {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, connectionTimeoutMillis: 5000 })
  const store = await postgres(pool)
  const close = async () => {
    await store.close()
    await pool.end()
  }
  return { store, close }
}

async function openRedis(url: string) {
  const { createClient } = await import('redis')
  // What cannot be sent now is refused now: nobody waits behind a server that is gone.
  const client = createClient({ url, disableOfflineQueue: true, socket: { reconnectStrategy: 200 } })
  client.on('error', () => undefined)
  await client.connect()
  const store = await redis(client)
  const close = async () => {
    await store.close()
    client.destroy()
  }
  return { store, close }
}
