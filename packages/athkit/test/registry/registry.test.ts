import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { exportAudit, verifyAudit } from '../../src/audit/index.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import { type DidState, deactivateOperation, updateOperation } from '../../src/did/index.ts'
import { createRegistry } from '../../src/registry/index.ts'
import { memory } from '../../src/store/memory.ts'
import { sqlite } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { NAME, NOW, named } from '../did/names.ts'
import { registryContract } from '../did/registry-contract.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-registry-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const clock = () => NOW * 1000

describe('a registry on the memory store', () => {
  registryContract(() => createRegistry({ store: memory(), clock }))
})

describe('a registry on SQLite', () => {
  registryContract(async () => createRegistry({ store: await sqlite(join(folder, `${files++}.db`)), clock }))

  test('keeps its entries over a restart', async () => {
    const file = join(folder, 'restart.db')
    const shop = await named()
    const before = await sqlite(file)
    const registry = createRegistry({ store: before, clock })
    const state = await registry.submit(shop.create)
    await registry.close()
    await before.close()
    const after = createRegistry({ store: await sqlite(file), clock })
    expect(await after.state(NAME)).toEqual(state)
    expect(await after.history(NAME)).toEqual([shop.create])
  })
})

test('of two nodes on one store that change one DID at once, one does', async () => {
  const store = memory()
  const nodes = [createRegistry({ store, clock }), createRegistry({ store, clock })] as const
  const shop = await named()
  const state = await nodes[0].submit(shop.create)
  const change = { state, signers: [shop.controlling], now: NOW }
  const rivals = await Promise.all([
    deactivateOperation(change),
    updateOperation({ ...change, document: shop.document }),
  ])
  const outcomes = await Promise.allSettled(rivals.map((rival, at) => nodes[at]?.submit(rival)))
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(await nodes[1].history(NAME)).toHaveLength(2)
})

test('what was taken is in the audit, with the state it made, and what was refused is not (ATH-10)', async () => {
  const store = memory()
  const [shop, signer] = [await named(), await generateSigner()]
  const registry = createRegistry({ store, clock, audit: { process: 'registry-1', signer } })
  const state = await registry.submit(shop.create, { address: '192.0.2.7' })
  const change = { state, signers: [shop.controlling], now: NOW }
  const end = await deactivateOperation(change)
  const rivals = [end, await updateOperation({ ...change, document: shop.document })]
  await Promise.allSettled(rivals.map((rival) => registry.submit(rival, { address: '192.0.2.8' })))
  await registry.close()
  const lines: JsonObject[] = []
  for await (const line of exportAudit(store, NOW)) lines.push(line as unknown as JsonObject)
  expect(await verifyAudit(lines, signer.publicKey)).toMatchObject({
    heads: 1,
    findings: [],
    chains: [{ count: 2 }],
  })
  const { seq, head } = (await registry.state(NAME)) as DidState
  expect(lines).toMatchObject([
    {
      event: 'DID operation',
      detail: { did: NAME, op: 'create', seq: 0, head: state.head, address: '192.0.2.7' },
    },
    { event: 'DID operation', detail: { did: NAME, seq, head, address: '192.0.2.8' } },
    { type: 'audit_head', process: 'registry-1', seq: 1 },
  ])
})

test('a history takes a thousand operations, and the last of them is its end', async () => {
  // What stands in the store is written by hand: a thousand signatures would take their time.
  const inner = memory()
  const shop = await named()
  const state = await createRegistry({ store: inner, clock }).submit(shop.create)
  await rewrite(inner, (entry) => ({ ...entry, state: { ...entry.state, seq: 998 } }))
  const registry = createRegistry({ store: inner, clock })
  const at998 = { ...state, seq: 998 }
  const change = { state: at998, signers: [shop.controlling], now: NOW }
  const update = await updateOperation({ ...change, document: shop.document })
  await expect(registry.submit(update)).rejects.toMatchObject({ error: 'message_too_large' })
  expect(await registry.submit(await deactivateOperation(change))).toMatchObject({
    seq: 999,
    deactivated: true,
  })
})

test('a history takes a mebibyte, of which a part is kept free for its end', async () => {
  const store = memory()
  const shop = await named()
  const registry = createRegistry({ store, clock })
  const state = await registry.submit(shop.create)
  await rewrite(store, (entry) => ({ ...entry, bytes: 1_048_576 - 65_536 }))
  const change = { state, signers: [shop.controlling], now: NOW }
  const update = await updateOperation({ ...change, document: shop.document })
  await expect(registry.submit(update)).rejects.toMatchObject({ error: 'message_too_large' })
  expect(await registry.submit(await deactivateOperation(change))).toMatchObject({ deactivated: true })
})

interface Stored {
  readonly state: DidState
  readonly bytes: number
}

async function rewrite(store: Store, edit: (entry: Stored) => Stored): Promise<void> {
  const partition = `did:${NAME}`
  const read = await store.transact(partition, [{ op: 'get', key: 'state' }], NOW)
  const value = JSON.stringify(edit(JSON.parse(read.results[0]?.value ?? '')))
  await store.transact(partition, [{ op: 'put', key: 'state', value }], NOW)
}

describe('createRegistry refuses', () => {
  test.each<[string, object, RegExp]>([
    ['no store', { store: undefined }, /store is missing/],
    ['an option it does not know', { rateLimit: 1 }, /no option "rateLimit"/],
    ['a limit it does not know', { limits: { names: 1 } }, /no "names"/],
    ['a limit of nothing', { limits: { namesPerDay: 0 } }, /at least 1/],
    ['an exemption that is no function', { limits: { exempt: true } }, /function/],
    ['a base path with a slash at its end', { basePath: '/registry/' }, /basePath/],
  ])('%s', (_, more, message) => {
    expect(() => createRegistry({ store: memory(), ...more } as never)).toThrow(message)
  })
})
