import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openStore, secretIn } from '../src/store/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-reseal-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const main = new URL('../dist/main.js', import.meta.url).pathname
const url = `sqlite:${at('shop.db')}`

function ath(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--json'], {
    encoding: 'utf8',
  })
  return { status, said: JSON.parse(stdout || '{}'), stderr }
}

test('a store is sealed anew under another key, and the former one can go', { timeout: 30_000 }, async () => {
  const { store, close } = await openStore(url, [at('old')])
  await store.transact('p', [{ op: 'put', key: 'k', value: 'secret' }], 0)
  await close()
  expect(readFileSync(at('shop.db'), 'latin1') + readFileSync(at('old'), 'latin1')).not.toContain('secret')
  expect(statSync(at('old')).mode & 0o777).toBe(0o600)

  await (await openStore(url, [at('new'), at('old')])).close()
  const both = ['--store-key', at('new'), '--store-key', at('old')]
  expect(ath('reseal', '--store', url, ...both)).toMatchObject({
    status: 0,
    said: { ok: true, rows: 1, outbox: 0 },
  })
  const after = await openStore(url, [at('new')])
  expect((await after.store.transact('p', [{ op: 'get', key: 'k' }], 0)).results[0]?.value).toBe('secret')
  await after.close()
})

test('without a former key, a store or a key that is there, it says what is missing', {
  timeout: 30_000,
}, () => {
  for (const args of [
    ['--store', url, '--store-key', at('new')],
    ['--store', `sqlite:${at('none.db')}`, '--store-key', at('new'), '--store-key', at('old')],
    ['--store', url, '--store-key', at('new'), '--store-key', at('none')],
  ]) {
    expect(ath('reseal', ...args)).toMatchObject({ status: 2, said: { ok: false, error: 'usage' } })
  }
})

test('the operator’s other commands write nothing into it without its key', { timeout: 30_000 }, async () => {
  const did = 'did:ath:assistant'
  const refused = ath('agents', 'approve', did, '--store', url)
  expect(refused).toMatchObject({ status: 2, said: { reason: expect.stringContaining('--store-key') } })
  const withKey = ['--store', url, '--store-key', at('new')]
  expect(ath('agents', 'list', ...withKey)).toMatchObject({ status: 0, said: { agents: [] } })
  expect(ath('agents', 'approve', did, ...withKey)).toMatchObject({ status: 0 })
  expect(ath('agents', 'list', ...withKey).said.agents).toMatchObject([{ did, state: 'approved' }])
  expect(readFileSync(at('shop.db'), 'latin1')).not.toContain('"approved"')
})

test('a file that holds no key is refused', async () => {
  writeFileSync(at('short'), 'AAAA\n')
  await expect(openStore(url, [at('short')])).rejects.toThrow(/32 random bytes in base64url/)
})

test('of two that make one file of secrets, the first makes it', async () => {
  const slow = secretIn(at('once'), () => new Promise((resolve) => setTimeout(() => resolve('second'), 20)))
  const fast = secretIn(at('once'), () => 'first')
  expect(await Promise.all([slow, fast])).toEqual(['first', 'first'])
  expect(readFileSync(at('once'), 'utf8')).toBe('first')
  expect(statSync(at('once')).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder).filter((name) => name.startsWith('once'))).toEqual(['once'])
})
