import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { recoverAudit } from '../../src/audit/index.ts'
import { sqlite } from '../../src/store/sqlite.ts'
import { chained, waiting } from './world.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-audit-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const writer = new URL('./kill-writer.mjs', import.meta.url).pathname

/** Lets a process write until so many are durable, and kills it. @returns the last it said was */
const killed = (file: string, at: number): Promise<number> =>
  new Promise((resolve, reject) => {
    let last = -1
    const child = fork(writer, [file])
    child.on('error', reject)
    child.on('message', (n: number) => {
      last = n
      if (n === at) child.kill('SIGKILL')
    })
    child.on('exit', () => resolve(last))
  })

test('processes that are killed leave no entry behind without its place, and none with two', {
  timeout: 60_000,
}, async () => {
  const file = join(folder, 'audit.db')
  const durable: number[] = []
  for (const at of [10, 60, 99]) {
    const last = await killed(file, at)
    expect(last).toBeGreaterThanOrEqual(at)
    durable.push(...Array.from({ length: last + 1 }, (_, n) => n))
  }
  const store = await sqlite(file)
  await recoverAudit(store, Math.floor(Date.now() / 1000) + 60)
  const places = await chained(store)
  expect(await waiting(store)).toBe(0)
  // What was durable and not yet said to be may be there as well: one for each process.
  const missing = durable.filter((n) => {
    const index = places.indexOf(n)
    if (index >= 0) places.splice(index, 1)
    return index < 0
  })
  expect([missing, places.length <= 3]).toEqual([[], true])
  await store.close()
})
