import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

/** `npm run vectors`, as it was built. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const vectors = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, [join(ROOT, 'tools/vectors.mjs'), ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectors-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('without a folder, or with one that holds no vectors, it says how it is used', async () => {
  for (const args of [[], [folder], [join(folder, 'missing')]]) {
    const { code, stdout, stderr } = await vectors(...args)
    expect(code).toBe(2)
    expect(stderr).toContain('Usage: npm run vectors -- DIR')
    expect(stdout).toBe('')
  }
})

test('it runs a folder on both ports and counts', async () => {
  await cp(join(ROOT, 'vectors/errors.json'), join(folder, 'errors.json'))
  const { code, stdout } = await vectors(folder)
  expect(stdout).toMatch(
    /^node\s+errors\.json\s+41 passed\nwebcrypto\s+errors\.json\s+41 passed\n82 passed, 0 failed\n$/,
  )
  expect(code).toBe(0)
})

test('it names each failure and exits with 1', async () => {
  const text = await readFile(join(ROOT, 'vectors/errors.json'), 'utf8')
  await writeFile(join(folder, 'errors.json'), text.replace('"valid": true', '"valid": false'))
  await writeFile(join(folder, 'unknown.json'), '{"cases":[]}')
  const { code, stdout } = await vectors(folder)
  expect(stdout).toContain('FAILED on node: errors.json: 400 malformed_message: was not refused\n')
  expect(stdout).toContain('FAILED on webcrypto: errors.json: 400 malformed_message: was not refused\n')
  expect(stdout).toContain('FAILED on node: unknown.json: ')
  expect(stdout).toMatch(/\n80 passed, 4 failed\n$/)
  expect(code).toBe(1)
})
