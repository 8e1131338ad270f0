import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasRedis, type RedisServer, startRedis } from '../../../../chaos/service/src/servers/redis.ts'
import { redis } from '../../src/store/redis.ts'

const NOW = 1_717_200_000
const mark = (key: string, seq: number) => ({ op: 'mark', key, seq, onRefusal: 'continue' }) as const

describe.skipIf(!hasRedis)('Redis', { timeout: 20_000 }, () => {
  let server: RedisServer
  const clients: Redis[] = []
  beforeAll(async () => {
    server = await startRedis('--repl-diskless-sync-delay', '0')
  }, 60_000)
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await server?.stop()
  })

  async function open(warn?: (message: string) => void) {
    const client = new Redis(server.port, '127.0.0.1', { autoResendUnfulfilledCommands: false })
    client.on('error', () => undefined)
    clients.push(client)
    return redis(client, { timeoutSeconds: 1, ...(warn === undefined ? {} : { warn }) })
  }

  test('a client that would send again what may have happened is refused', async () => {
    const careless = new Redis(server.port, '127.0.0.1', { lazyConnect: true })
    await expect(redis(careless)).rejects.toThrow(/autoResendUnfulfilledCommands: false/)
    const cluster = new Cluster([{ host: '127.0.0.1', port: server.port }], { lazyConnect: true })
    await expect(redis(cluster)).rejects.toThrow(/in redisOptions/)
  })

  test('a server that would lose or forget what it acknowledged is warned of', async () => {
    const warnings: string[] = []
    await open((message) => warnings.push(message))
    expect(warnings).toEqual([])
    await server.ask('CONFIG', 'SET', 'appendfsync', 'everysec')
    await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    await open((message) => warnings.push(message))
    await server.ask('CONFIG', 'SET', 'appendfsync', 'always')
    await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    expect(warnings).toEqual([
      expect.stringMatching(/appendfsync everysec: a power cut can lose what was acknowledged/),
      expect.stringMatching(/maxmemory-policy allkeys-lru/),
    ])
  })

  test('what was acknowledged is there after the power was cut, and the store goes on by itself', async () => {
    const store = await open()
    let acknowledged = -1
    const writing = (async () => {
      for (let seq = 0; ; seq++) {
        const put = { op: 'put', key: `k${seq}`, value: '' } as const
        await store.transact('power', [put, { op: 'append', id: `${seq}`, value: '' }], NOW)
        acknowledged = seq
        if (seq === 30) server.kill()
      }
    })()
    await expect(writing).rejects.toMatchObject({ trouble: 'store_unavailable' })
    await server.start()
    const entries = new Set<string>()
    for await (const { id } of store.outbox()) entries.add(id)
    for (let seq = 0; seq <= acknowledged; seq++) {
      const { results } = await store.transact('power', [{ op: 'get', key: `k${seq}` }], NOW)
      expect([results[0]?.value, entries.has(`${seq}`)]).toEqual(['', true])
    }
  })

  test('started anew, or promoted, it raises every window by 2^20 before its next mark (ATH-7.6)', async () => {
    const store = await open()
    const before = [mark('opened', -1), mark('w', 5), { op: 'put', key: 'k', value: '1' }] as const
    const version = (await store.transact('old', before, NOW)).results[2].row?.version ?? 0
    await server.kill()
    await server.start()
    const raised = 1_048_576
    const marks = [
      mark('w', 6),
      mark('opened', 0),
      mark('never', 0),
      mark('w', 5 + raised),
      mark('w', 6 + raised),
    ]
    const { results } = await store.transact('old', marks, NOW)
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
    expect(put.results[0]?.row?.version).toBeGreaterThan(version)
  })

  test('a replica that takes over raises them too', async () => {
    const replica = await startRedis('--replicaof', '127.0.0.1', String(server.port))
    try {
      const store = await open()
      await store.transact('replicated', [mark('w', 5)], NOW)
      const copied = () => replica.ask('EXISTS', 'ath:{replicated}')
      await expect.poll(copied, { timeout: 15_000 }).toBe(1)
      await replica.ask('REPLICAOF', 'NO', 'ONE')
      const client = new Redis(replica.port, '127.0.0.1', { autoResendUnfulfilledCommands: false })
      clients.push(client)
      const promoted = await redis(client)
      const { results } = await promoted.transact('replicated', [mark('w', 6)], NOW)
      expect(results).toEqual([{ fresh: false, nextSeq: 6 + 1_048_576 }])
    } finally {
      await replica.stop()
    }
  })

  test('a partition goes when all of it has expired, and stays while a row of it does not', async () => {
    const store = await open()
    const ttl = async (key: string) => Number(await server.ask('TTL', key))
    await store.transact('short', [{ op: 'put', key: 'k', value: '', expiresAt: NOW + 30 }], NOW)
    for (const kind of ['', ':names', ':ends']) {
      expect(await ttl(`ath:{short}${kind}`)).toBeGreaterThan(60)
      expect(await ttl(`ath:{short}${kind}`)).toBeLessThanOrEqual(90)
    }
    await store.transact('short', [{ op: 'put', key: 'always', value: '' }], NOW)
    expect([await ttl('ath:{short}'), await ttl('ath:{short}:names')]).toEqual([-1, -1])
    await store.transact(
      'short',
      [
        { op: 'delete', key: 'always' },
        { op: 'delete', key: 'k' },
      ],
      NOW,
    )
    expect(await ttl('ath:{short}')).toBeLessThanOrEqual(60)
    expect(await ttl('ath:{short}')).toBeGreaterThan(0)
  })

  test('names with braces and percent signs are partitions of their own, and come back from the outbox', async () => {
    const store = await open()
    const odd = ['}', '%7D', 'a}b', 'a{b', '%', '{}']
    for (const partition of odd) {
      await store.transact(partition, [{ op: 'put', key: 'k', value: partition }], NOW)
      await store.transact(partition, [{ op: 'append', id: 'odd', value: partition }], NOW)
    }
    for (const partition of odd) {
      const { results } = await store.transact(partition, [{ op: 'get', key: 'k' }], NOW)
      expect(results[0]?.value).toBe(partition)
    }
    const found = new Set<string>()
    for await (const { partition, id, value } of store.outbox()) {
      if (id !== 'odd') continue
      expect(value).toBe(partition)
      found.add(partition)
    }
    expect([...found].sort()).toEqual([...odd].sort())
  })
})
