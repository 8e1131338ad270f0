import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../chaos/service/src/servers/postgres.ts'
import { postgres } from '../../src/store/postgres.ts'
import type { Store } from '../../src/store/store.ts'

vi.setConfig({ testTimeout: 20_000 })

let server: PostgresServer
const pools: pg.Pool[] = []
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()))
  await server?.stop()
})

async function open(config: pg.PoolConfig = {}, warn?: (message: string) => void): Promise<Store> {
  const pool = new pg.Pool({ connectionString: server.url, max: 4, ...config })
  pools.push(pool)
  return postgres(pool, warn === undefined ? {} : { warn })
}

const NOW = 1_717_200_000
const mark = (key: string, seq: number) => ({ op: 'mark', key, seq, onRefusal: 'continue' }) as const

test('nodes that start together migrate once, and each finds it done', async () => {
  const stores = await Promise.all(Array.from({ length: 8 }, () => open()))
  const wrote = await Promise.all(
    stores.map((store, i) => store.transact('p', [{ op: 'put', key: `k${i}`, value: '' }], NOW)),
  )
  expect(wrote.map(({ outcome }) => outcome)).toEqual(Array(8).fill('done'))
  expect(await server.ask('SELECT number FROM athkit.migrations')).toEqual([{ number: 0 }])
})

test('a role that may make nothing is enough once it was migrated', async () => {
  await open()
  await server.ask('CREATE ROLE lowly LOGIN')
  await server.ask('GRANT USAGE ON SCHEMA athkit TO lowly')
  await server.ask('GRANT ALL ON ALL TABLES IN SCHEMA athkit TO lowly')
  await server.ask('GRANT ALL ON ALL SEQUENCES IN SCHEMA athkit TO lowly')
  const store = await open({ connectionString: server.url.replace('ath@', 'lowly@') })
  expect((await store.transact('lowly', [{ op: 'put', key: 'k', value: '' }], NOW)).outcome).toBe('done')
})

test('what was acknowledged is there after the power was cut, and the store goes on by itself', async () => {
  const store = await open()
  let acknowledged = -1
  const writing = (async () => {
    for (let seq = 0; ; seq++) {
      await store.transact('power', [{ op: 'put', key: `k${seq}`, value: '' }, mark('w', seq)], NOW)
      acknowledged = seq
      if (seq === 30) server.kill()
    }
  })()
  await expect(writing).rejects.toMatchObject({ trouble: 'store_unavailable' })
  await server.start()
  for (let seq = 0; seq <= acknowledged; seq++) {
    const { results } = await store.transact('power', [{ op: 'get', key: `k${seq}` }, mark('w', seq)], NOW)
    expect([results[0]?.value, results[1]?.fresh]).toEqual(['', false])
  }
})

test('a role that turned synchronous_commit off gets durable commits all the same', async () => {
  const store = await open({ options: '-c synchronous_commit=off' })
  await server.ask('CREATE TABLE seen (setting text)')
  await server.ask(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$`)
  await server.ask('CREATE TRIGGER note AFTER INSERT ON athkit.cells FOR EACH ROW EXECUTE FUNCTION note()')
  await store.transact('commit', [{ op: 'put', key: 'k', value: '' }], NOW)
  await server.ask('DROP TRIGGER note ON athkit.cells')
  expect(await server.ask('SELECT DISTINCT setting FROM seen')).toEqual([{ setting: 'on' }])
})

test('an isolation level that would read what is old is refused', async () => {
  const store = await open({ options: '-c default_transaction_isolation=serializable' })
  const refused = store.transact('isolation', [{ op: 'get', key: 'k' }], NOW)
  await expect(refused).rejects.toMatchObject({ trouble: 'store_unavailable' })
})

test('a server without fsync is warned of', async () => {
  const warnings: string[] = []
  await open({}, (message) => warnings.push(message))
  expect(warnings).toEqual([])
  await server.ask('ALTER SYSTEM SET fsync = off')
  await server.ask('SELECT pg_reload_conf()')
  await expect.poll(() => server.ask('SHOW fsync'), { timeout: 15_000 }).toEqual([{ fsync: 'off' }])
  await open({}, (message) => warnings.push(message))
  expect(warnings).toEqual([expect.stringMatching(/fsync off: a power cut can lose/)])
  await server.ask('ALTER SYSTEM RESET fsync')
  await server.ask('SELECT pg_reload_conf()')
})

test('where a replica took over, every window is raised by 2^20 before its next mark (ATH-7.6)', async () => {
  const store = await open()
  const open_ = { ...mark('opened', -1) }
  const before = await store.transact('old', [open_, mark('w', 5), { op: 'put', key: 'k', value: '1' }], NOW)
  const version = before.results[2]?.row?.version ?? 0
  await server.promote()
  const raised = 1_048_576
  const { results } = await store.transact(
    'old',
    [mark('w', 6), mark('opened', 0), mark('never', 0), mark('w', 5 + raised), mark('w', 6 + raised)],
    NOW,
  )
  const refused = (nextSeq: number) => ({ fresh: false, nextSeq })
  expect(results).toEqual([
    refused(6 + raised),
    refused(raised),
    refused(raised),
    refused(6 + raised),
    { fresh: true, nextSeq: 7 + raised },
  ])
  const again = await store.transact('old', [mark('w', 7 + raised), mark('w', 7 + raised)], NOW)
  expect(again.results.map((result) => result.fresh)).toEqual([true, false])
  const fresh = await store.transact('new', [mark('w', 0)], NOW)
  expect(fresh.results[0]).toEqual({ fresh: true, nextSeq: 1 })
  const put = await store.transact('old', [{ op: 'put', key: 'k', value: '2' }], NOW)
  expect((put.results[0]?.row?.version ?? 0) - version).toBeGreaterThan(2 ** 43)
})
