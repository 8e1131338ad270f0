import { randomUUID } from 'node:crypto'
import { link, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { AthError } from '../errors.ts'

/** A holder writes one small file: whoever holds it longer has died. */
const STALE_MS = 30_000
const PATIENCE_MS = 60_000
const PAUSE_MS = 20

/**
 * Runs the work while no other process does: a file beside the vault that only one can create. That of a process that died is taken
 * away.
 *
 * @throws AthError `vault_busy` when it cannot be had within a minute
 */
export async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  const lock = `${file}.lock`
  const mine = `${process.pid} ${randomUUID()}`
  const until = Date.now() + PATIENCE_MS
  while (!(await create(lock, mine))) {
    await removeStale(lock)
    if (Date.now() > until) throw new AthError('vault_busy', `another process holds ${lock}`)
    await sleep(PAUSE_MS)
  }
  try {
    return await work()
  } finally {
    if ((await contentOf(lock)) === mine) await unlink(lock).catch(() => undefined)
  }
}

/** It is there with its owner's name in it or not at all: one that a crash left empty would belong to nobody who could be dead. */
async function create(lock: string, mine: string): Promise<boolean> {
  const named = `${lock}.${randomUUID()}`
  await writeFile(named, mine, { flag: 'wx', mode: 0o600 })
  try {
    await link(named, lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await unlink(named).catch(() => undefined)
  }
}

async function removeStale(lock: string): Promise<void> {
  const content = await contentOf(lock)
  if (content === undefined) return
  const pid = Number(content.split(' ')[0])
  const age = await stat(lock).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  )
  if (isAlive(pid) && age <= STALE_MS) return
  // Moved away first: of several who find it stale, one has it, and a new one that came meanwhile is put back.
  const aside = `${lock}.${randomUUID()}`
  await rename(lock, aside).catch(() => undefined)
  const taken = await contentOf(aside)
  if (taken !== undefined && taken !== content) await rename(aside, lock).catch(() => undefined)
  else await unlink(aside).catch(() => undefined)
}

const contentOf = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined)

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
