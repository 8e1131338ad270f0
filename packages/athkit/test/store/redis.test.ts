import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll, describe, test } from 'vitest'
import {
  hasRedis,
  type RedisServer,
  redisUrl,
  startRedis,
} from '../../../../chaos/service/src/servers/redis.ts'
import { redis } from '../../src/store/redis.ts'
import type { Store } from '../../src/store/store.ts'
import { storeContract } from '../../src/store/testing.ts'

let server: RedisServer | undefined
/** One that has all slots, and refuses a script over two of them as any cluster does. */
let cluster: RedisServer | undefined
beforeAll(async () => {
  if (!hasRedis) return
  const asCluster = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']
  ;[server, cluster] = await Promise.all([startRedis(), startRedis(...asCluster)])
  await cluster.ask('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  while (!String(await cluster.ask('CLUSTER', 'INFO')).includes('cluster_state:ok')) {
    await new Promise((done) => setTimeout(done, 50))
  }
}, 60_000)
afterAll(() => Promise.all([server?.stop(), cluster?.stop()]))

const url = () => server?.url ?? redisUrl ?? ''
const clusterPort = () => cluster?.port ?? 0
let prefix = ''

async function storeOn(client: Parameters<typeof redis>[0], end: () => unknown): Promise<Store> {
  // A server that is not ours may be set as it likes; what it would lose is not what is tested here.
  const store = await redis(client, { prefix, warn: () => undefined })
  const close = async () => {
    await store.close()
    await end()
  }
  return { ...store, close }
}

async function throughRedis(): Promise<Store> {
  const client = createClient({ url: url() })
  await client.connect()
  return storeOn(client, () => client.isOpen && client.close())
}

async function throughIoRedis(): Promise<Store> {
  const client = new Redis(url(), { autoResendUnfulfilledCommands: false })
  return storeOn(client, () => client.disconnect())
}

async function throughRedisCluster(): Promise<Store> {
  const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${clusterPort()}` }] })
  await client.connect()
  return storeOn(client, () => client.isOpen && client.close())
}

async function throughIoRedisCluster(): Promise<Store> {
  const redisOptions = { autoResendUnfulfilledCommands: false }
  const client = new Cluster([{ host: '127.0.0.1', port: clusterPort() }], { redisOptions })
  await new Promise((ready) => client.once('ready', ready))
  return storeOn(client, () => client.disconnect())
}

/** Empty is what nobody has written under a prefix to. */
function contract(open: () => Promise<Store>): void {
  const empty = () => {
    prefix = `ath-test:${process.pid}:${Math.random().toString(36).slice(2)}:`
    return open()
  }
  for (const { name, run } of storeContract(empty, open)) test(name, run, 20_000)
}

describe.skipIf(!hasRedis && redisUrl === undefined)('Redis through redis', () => contract(throughRedis))
describe.skipIf(!hasRedis && redisUrl === undefined)('Redis through ioredis', () => contract(throughIoRedis))
describe.skipIf(!hasRedis)('a cluster through redis', () => contract(throughRedisCluster))
describe.skipIf(!hasRedis)('a cluster through ioredis', () => contract(throughIoRedisCluster))
