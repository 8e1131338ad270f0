import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { sqlite } from '../../src/store/sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const newFile = () => join(folder, `${files++}.db`)
const leaver = new URL('./sqlite-leaver.mjs', import.meta.url).pathname

test('two stores of one process keep their file’s locks: who leaves it takes no WAL away from them', async () => {
  const file = newFile()
  const stores = [await sqlite(file), await sqlite(file)] as const
  await stores[0].transact('p', [{ op: 'put', key: 'k', value: 'before' }], 0)
  await once(fork(leaver, [file]), 'exit')
  await stores[0].transact('p', [{ op: 'put', key: 'k', value: 'acknowledged' }], 0)
  const another = await sqlite(file)
  const { results } = await another.transact('p', [{ op: 'get', key: 'k' }], 0)
  expect(results[0]?.value).toBe('acknowledged')
  for (const store of [...stores, another]) await store.close()
})

test('what refuses has changed nothing, so nothing has to be undone: not even a row at its end goes', async () => {
  const store = await sqlite(':memory:')
  await store.transact('p', [{ op: 'put', key: 'k', value: 'v', expiresAt: 10 }], 0)
  expect((await store.transact('p', [{ op: 'take', key: 'k' }], 10)).outcome).toBe('aborted')
  expect((await store.transact('p', [{ op: 'take', key: 'k' }], 9)).outcome).toBe('done')
  await store.close()
})
