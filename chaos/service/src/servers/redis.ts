import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from './free-port.ts'

/** A real Redis of this test's own, on a loopback port, which writes every command to the disk before it answers. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Runs one command. */
  ask(...command: string[]): Promise<unknown>
  stall(): void
  resume(): void
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** Of a Redis that runs already, for the tests that need no server of their own to kill. */
export const redisUrl = process.env.ATHKIT_TEST_REDIS_URL

/** The tests need `redis-server` on the PATH; without it they are skipped, and say so, but in CI, where they fail. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0
if (!hasRedis && process.env.CI === 'true') {
  throw new Error('redis-server is not on the PATH: install it (Debian: apt-get install redis-server)')
}
if (!hasRedis) {
  const but = redisUrl === undefined ? '' : ' but for the contract, against ATHKIT_TEST_REDIS_URL'
  console.warn(`NOT TESTED: Redis${but}; there is no redis-server on the PATH`)
}

export async function startRedis(...settings: string[]): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-redis-'))
  const port = await freePort()
  let child: ChildProcess

  async function ask(name: string, ...values: string[]): Promise<unknown> {
    const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: null })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return await client.call(name, ...values)
    } finally {
      client.disconnect()
    }
  }

  async function start(): Promise<void> {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    args.push('--appendonly', 'yes', '--appendfsync', 'always', ...settings)
    child = spawn('redis-server', args, { stdio: 'ignore' })
    for (let tries = 0; ; tries++) {
      try {
        if ((await ask('PING')) === 'PONG') return
      } catch (error) {
        if (tries >= 300 || child.exitCode !== null) throw error
      }
      await new Promise((done) => setTimeout(done, 50))
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await gone
  }

  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    ask,
    stall: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    start,
    async stop() {
      await end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
