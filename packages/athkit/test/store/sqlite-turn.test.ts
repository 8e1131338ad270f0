import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memory } from '../../src/store/memory.ts'
import { sqlite } from '../../src/store/sqlite.ts'
import { SqliteCells } from '../../src/store/sqlite-cells.ts'
import type { Operation, Outcome, Store } from '../../src/store/store.ts'

const NOW = 1_717_200_000

const key = fc.constantFrom('a', 'b')
const onRefusal = fc.constantFrom('abort', 'stop', 'continue') as fc.Arbitrary<'abort' | 'stop' | 'continue'>
const value = fc.integer({ min: 0, max: 99 }).map(String)
const expiresAt = fc.constantFrom(NOW - 1, NOW + 1, NOW + 100)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    op: fc.constant('get' as const),
    key,
    if: fc.constantFrom('present' as const, 'absent' as const),
    onRefusal,
  }),
  fc.record({ op: fc.constant('get' as const), key }),
  fc.record({ op: fc.constant('list' as const), prefix: fc.constantFrom('', 'a'), limit: fc.constant(5) }),
  fc.record({ op: fc.constant('put' as const), key, value, expiresAt }),
  fc.record({ op: fc.constant('put' as const), key, value, if: fc.constant('absent' as const), onRefusal }),
  fc.record({ op: fc.constant('put' as const), key, value, if: fc.constant(-1), onRefusal }),
  fc.record({ op: fc.constant('delete' as const), key }),
  fc.record({ op: fc.constant('take' as const), key, onRefusal }),
  fc.record({
    op: fc.constant('mark' as const),
    key,
    seq: fc.integer({ min: 0, max: 5 }),
    expiresAt,
    onRefusal,
  }),
  fc.record({
    op: fc.constant('count' as const),
    key,
    limits: fc.constant([{ limit: 2, windowSeconds: 60 }]),
    nowMs: fc.constant(NOW * 1000),
    onRefusal,
  }),
  fc.record({ op: fc.constant('append' as const), id: key, value }),
  fc.record({ op: fc.constant('drop' as const), ids: fc.tuple(key) }),
)

const job = fc.record({
  partition: fc.constantFrom('p', 'q'),
  operations: fc.array(operation, { minLength: 1, maxLength: 4 }),
  now: fc.constantFrom(NOW, NOW + 50),
})
type Job = { readonly partition: string; readonly operations: readonly Operation[]; readonly now: number }

const ask = (store: Store, { partition, operations, now }: Job) => store.transact(partition, operations, now)

/** Two stores number their versions in their own ways. */
const withoutVersions = (given: unknown): unknown =>
  JSON.parse(JSON.stringify(given, (name, one) => (name === 'version' ? typeof one : one)) ?? 'null')

async function contents(store: Store) {
  const all = async (rows: AsyncIterable<{ readonly partition: string }>) => {
    const texts: string[] = []
    for await (const row of rows) texts.push(JSON.stringify(withoutVersions(row), Object.keys(row).sort()))
    return texts.sort()
  }
  return [await all(store.rows()), await all(store.outbox())]
}

test('what is asked for in one turn is answered as one after the other, and leaves the same behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(job, { minLength: 1, maxLength: 6 }), { maxLength: 4 }),
      async (turns) => {
        const [file, model] = [await sqlite(':memory:'), memory()]
        for (const jobs of turns) {
          const answers: Outcome<readonly unknown[]>[] = await Promise.all(jobs.map((one) => ask(file, one)))
          const expected: Outcome<readonly unknown[]>[] = []
          for (const one of inOrder(jobs)) expected.push(await ask(model, one))
          const given = inOrder(jobs).map((one) => answers[jobs.indexOf(one)])
          expect(withoutVersions(given)).toEqual(withoutVersions(expected))
        }
        expect(await contents(file)).toEqual(await contents(model))
        await Promise.all([file.close(), model.close()])
      },
    ),
    { numRuns: 300, seed: 44 },
  )
})

/** What only reads waits for nobody. */
const inOrder = (jobs: readonly Job[]): readonly Job[] => {
  const reads = ({ operations }: Job) => operations.every(({ op }) => op === 'get' || op === 'list')
  return [...jobs.filter(reads), ...jobs.filter((one) => !reads(one))]
}

test('a cell is read once and written once in a transaction, whoever comes to it', () => {
  const calls: string[] = []
  const statement = (name: string) => ({
    get: () => void calls.push(`${name}`),
    all: () => [],
    run: () => {
      calls.push(name)
      return { changes: 1 }
    },
  })
  const [get, list, put, drop] = ['get', 'list', 'put', 'drop'].map(statement)
  if (!get || !list || !put || !drop) throw new Error('no statements')
  const cells = new SqliteCells(
    { get, list, put, delete: drop, append: drop, drop },
    { next: () => 1, drop: () => undefined },
  )
  for (let top = 0; top < 32; top++) {
    cells.open('pair', NOW).window('sid:0')
    cells.putWindow('sid:0', { top, bits: 1n }, undefined)
    cells.row('grant')
  }
  expect(calls).toEqual(['get', 'get'])
  cells.flush()
  cells.flush()
  expect(calls).toEqual(['get', 'get', 'put'])
})
