import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { sqlite } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-versions-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const newFile = () => join(folder, `${files++}.db`)

const versionOf = async (store: Store, value = '') =>
  (await store.transact('p', [{ op: 'put', key: 'k', value }], 0)).results[0]?.row?.version

/** Both write one key in turn, over the end of a block: of all its states no two have one version. */
async function expectNoneTwice(...stores: readonly Store[]): Promise<void> {
  const versions: (number | undefined)[] = []
  for (let i = 0; i < 1100; i++) for (const store of stores) versions.push(await versionOf(store))
  expect(new Set(versions).size).toBe(1100 * stores.length)
  for (const store of stores) await store.close()
}

test('two stores on one file never give the same version', async () => {
  const file = newFile()
  await expectNoneTwice(await sqlite(file), await sqlite(file))
})

test('a block that was reserved in what is aborted is not used', async () => {
  const file = newFile()
  const one = await sqlite(file)
  const refused = { op: 'get', key: 'none', if: 'present' } as const
  const { outcome } = await one.transact('p', [{ op: 'put', key: 'k', value: '' }, refused], 0)
  expect(outcome).toBe('aborted')
  await expectNoneTwice(one, await sqlite(file))
})

test('nor one that was reserved in a transaction that found no room', async () => {
  const file = newFile()
  const one = await sqlite(file, { maxBytes: 100_000 })
  await expect(versionOf(one, 'x'.repeat(1_000_000))).rejects.toThrow()
  await expectNoneTwice(one, await sqlite(file))
})

test('who opens the file again gives none of those before', async () => {
  const file = newFile()
  const versions: (number | undefined)[] = []
  for (let i = 0; i < 3; i++) {
    const store = await sqlite(file)
    versions.push(await versionOf(store), await versionOf(store))
    await store.close()
  }
  expect(new Set(versions).size).toBe(6)
})
