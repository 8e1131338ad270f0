import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../chaos/service/src/servers/postgres.ts'
import { hasRedis, type RedisServer, startRedis } from '../../../../chaos/service/src/servers/redis.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { createHandshakeRequest } from '../../src/handshake/index.ts'
import { postgres } from '../../src/store/postgres.ts'
import { redis } from '../../src/store/redis.ts'
import { sqlite } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { seed } from './sealed/session.ts'
import { HANDSHAKE, NOW, ORIGIN, shop } from './shop.ts'

vi.setConfig({ testTimeout: 60_000 })

/** A store in trouble is said so, within a bounded time, and nothing has to be started again (ATH-9). */
const TIMEOUT_SECONDS = 1
const BOUND_MS = 15_000

async function served(store: Store) {
  const at = await shop({ restrictions: {} }, { store })
  at.service.setApplication(() => new Response('ok'))
  const client = await seed(at)
  const handshake = async () => {
    const given = { client: at.agent, audience: ORIGIN, now: at.clock.now, random: randomBytes(16) }
    return at.call('POST', HANDSHAKE, await createHandshakeRequest(given))
  }
  return { at, client, handshake }
}

type Served = Awaited<ReturnType<typeof served>>

async function expectTrouble({ client, handshake }: Served): Promise<void> {
  const startedAt = performance.now()
  const [inside, outside] = await Promise.all([client.send('GET', '/'), handshake()])
  expect(performance.now() - startedAt).toBeLessThan(BOUND_MS)
  expect(inside).toMatchObject({ outer: 200, status: 503, error: 'store_unavailable', ath: true })
  expect(inside.head?.headers).toContainEqual(['retry-after', '2'])
  expect(outside).toMatchObject({ status: 503, body: { error: 'store_unavailable', retryable: true } })
  expect(outside.headers.get('retry-after')).toBe('2')
}

async function expectWell({ client, handshake }: Served): Promise<void> {
  const isWell = async () => expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
  await vi.waitFor(isWell, { timeout: BOUND_MS })
  expect(await handshake()).toMatchObject({ status: 201 })
}

describe('PostgreSQL', () => {
  let server: PostgresServer
  let pool: pg.Pool
  let world: Served
  beforeAll(async () => {
    server = await startPostgres()
    pool = new pg.Pool({ connectionString: server.url, max: 4 })
    world = await served(await postgres(pool, { timeoutSeconds: TIMEOUT_SECONDS }))
    await expectWell(world)
  }, 60_000)
  afterAll(async () => {
    await pool?.end()
    await server?.stop()
  })

  test('one that stalls: 503 in time, and well again when it goes on', async () => {
    server.stall()
    try {
      await expectTrouble(world)
    } finally {
      server.resume()
    }
    await expectWell(world)
  })

  test('an order that came while it stalled can be made again under the same key, and is made once', async () => {
    let orders = 0
    world.at.service.setApplication(() => new Response(String(++orders), { status: 201 }))
    const order = (key = 'stalled') => world.client.send('POST', '/', { headers: [['idempotency-key', key]] })
    // The first order of a process says that it is alive; behind it, an order is one round trip, and that one stalls.
    expect(await order('before')).toMatchObject({ status: 201, text: '1' })
    server.stall()
    try {
      expect(await order()).toMatchObject({ status: 503 })
    } finally {
      server.resume()
    }
    const outcomes = new Set<number | unknown>()
    const isPlaced = async () => {
      const { status, error } = await order()
      outcomes.add(error ?? status)
      expect(status).toBe(201)
    }
    await vi.waitFor(isPlaced, { timeout: BOUND_MS, interval: 200 })
    expect(await order()).toMatchObject({ status: 201, text: '2' })
    expect(
      [...outcomes].filter(
        (outcome) => !['in_progress', 'store_unavailable', 201].includes(outcome as string),
      ),
    ).toEqual([])
    expect(orders).toBe(2)
    world.at.service.setApplication(() => new Response('ok'))
  })

  test('connections that are cut are made anew, by the second request at the latest', async () => {
    await server.ask(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
    )
    expect([200, 503]).toContain((await world.client.send('GET', '/')).status)
    await expectWell(world)
  })

  test('one that is killed: 503 while it is away, and well again when it is back', async () => {
    await server.kill()
    await expectTrouble(world)
    await server.start()
    await expectWell(world)
  })
})

describe.skipIf(!hasRedis)('Redis', () => {
  let server: RedisServer
  let client: Redis
  let world: Served
  beforeAll(async () => {
    server = await startRedis()
    client = new Redis(server.port, '127.0.0.1', {
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => 100,
    })
    client.on('error', () => undefined)
    world = await served(await redis(client, { timeoutSeconds: TIMEOUT_SECONDS }))
    await expectWell(world)
  }, 60_000)
  afterAll(async () => {
    client?.disconnect()
    await server?.stop()
  })

  test('one that stalls: 503 in time, and well again when it goes on', async () => {
    server.stall()
    try {
      await expectTrouble(world)
    } finally {
      server.resume()
    }
    await expectWell(world)
  })

  test('connections that are cut are made anew', async () => {
    await server.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await expectWell(world)
  })

  test('one that has no room: 503 while it has none, and well again when it has', async () => {
    await server.ask('CONFIG', 'SET', 'maxmemory', '1')
    await expectTrouble(world)
    await server.ask('CONFIG', 'SET', 'maxmemory', '0')
    await expectWell(world)
  })

  test('one that is killed: 503 while it is away; back, it raises the floor, and the agent goes on above it (ATH-7.6)', async () => {
    await server.kill()
    await expectTrouble(world)
    await server.start()
    const raised = 1_048_576
    const isBack = async () =>
      expect(await world.client.send('GET', '/')).toMatchObject({ error: 'replayed' })
    await vi.waitFor(isBack, { timeout: BOUND_MS })
    const { json } = await world.client.send('GET', '/')
    expect(json.next_seq).toBeGreaterThan(raised)
    expect(await world.client.send('GET', '/', { seq: Number(json.next_seq) })).toMatchObject({ status: 200 })
  })
})

describe('SQLite', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'athkit-trouble-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('a full disk: 503 while it is, and well again when something has expired', async () => {
    const store = await sqlite(join(folder, 'full.db'), { maxBytes: 300_000 })
    const world = await served(store)
    await expectWell(world)
    const expiresAt = NOW + 60
    const fill = async (length: number): Promise<void> => {
      for (let i = 0; ; i++) {
        const put = { op: 'put', key: `${length}:${i}`, value: 'x'.repeat(length), expiresAt } as const
        await store.transact('filling', [put], NOW)
      }
    }
    for (const length of [4000, 1])
      await expect(fill(length)).rejects.toMatchObject({ trouble: 'store_unavailable' })
    await expectTrouble(world)
    await store.sweep(NOW + 61, 1000)
    await expectWell(world)
    await store.close()
  })
})
