import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'athkit-kill-'))
afterAll(() => rmSync(folder, { recursive: true }))
const writer = new URL('./kill-writer.mjs', import.meta.url).pathname

test('killed in the middle of writing, a process loses nothing that was acknowledged', async () => {
  const { sqlite } = await import('../../src/store/sqlite.ts')
  for (let round = 0; round < 3; round++) {
    const file = join(folder, `${round}.db`)
    const acknowledged = await new Promise<number>((resolve, reject) => {
      let last = -1
      const child = fork(writer, [file])
      child.on('error', reject)
      child.on('message', (seq: number) => {
        last = seq
        if (seq === 40 + 25 * round) child.kill('SIGKILL')
      })
      child.on('exit', () => resolve(last))
    })
    expect(acknowledged).toBeGreaterThanOrEqual(40)
    const store = await sqlite(file)
    for (let seq = 0; seq <= acknowledged; seq++) {
      const { results } = await store.transact(
        'p',
        [
          { op: 'get', key: `k${seq}` },
          { op: 'mark', key: 'w', seq, onRefusal: 'continue' },
        ],
        0,
      )
      expect([results[0]?.value, results[1]?.fresh]).toEqual([String(seq), false])
    }
    await store.close()
  }
})
