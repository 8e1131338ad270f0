import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { memory } from '../../src/store/memory.ts'
import { sqlite } from '../../src/store/sqlite.ts'
import { storeContract } from '../../src/store/testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-store-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const file = () => join(folder, `${files++}.db`)

describe('memory', () => {
  for (const { name, run } of storeContract(async () => memory())) test(name, run)
})

describe('SQLite', () => {
  for (const { name, run } of storeContract(
    () => sqlite(file()),
    () => sqlite(join(folder, `${files - 1}.db`)),
  ))
    test(name, run)

  test('what was acknowledged is there when the file is opened again', async () => {
    const path = file()
    const store = await sqlite(path)
    await store.transact(
      'p',
      [
        { op: 'put', key: 'k', value: 'v' },
        { op: 'mark', key: 'w', seq: 9 },
      ],
      0,
    )
    await store.close()
    const again = await sqlite(path)
    const { results } = await again.transact(
      'p',
      [
        { op: 'get', key: 'k' },
        { op: 'mark', key: 'w', seq: 9, onRefusal: 'continue' },
      ],
      0,
    )
    expect([results[0]?.value, results[1]?.fresh]).toEqual(['v', false])
    await again.close()
  })

  test('two that share a file agree: exactly one of many stores', async () => {
    const path = file()
    const [one, other] = await Promise.all([sqlite(path), sqlite(path)])
    const put = { op: 'put', key: 'k', value: 'v', if: 'absent' } as const
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 ? one : other).transact('p', [put], 0)),
    )
    expect(all.filter(({ outcome }) => outcome === 'done')).toHaveLength(1)
    await Promise.all([one.close(), other.close()])
  })

  test('the file is its owner’s alone', async () => {
    const path = file()
    await (await sqlite(path)).close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('a file that cannot be opened is said at once', async () => {
    await expect(sqlite(join(folder, 'no', 'such', 'folder.db'))).rejects.toThrow(/ENOENT/)
  })
})
