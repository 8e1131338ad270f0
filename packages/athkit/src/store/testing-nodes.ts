import type { Operation, Store } from './store.ts'

const NOW = 1_717_200_000
const TRIES = 60

/**
 * What several nodes on one store may count on. The handles are as two nodes have them: nothing is shared but the database.
 *
 * @throws Error that says what came out instead
 */
export async function nodesAgree(one: Store, other: Store): Promise<void> {
  const nodes = [one, other]
  const race = (operations: (i: number) => readonly Operation[]) =>
    Promise.all(
      Array.from({ length: TRIES }, (_, i) => (nodes[i % 2] as Store).transact('shared', operations(i), NOW)),
    )
  const done = (outcomes: readonly { outcome: string }[]) =>
    outcomes.filter(({ outcome }) => outcome === 'done').length

  const put = await race((i) => [{ op: 'put', key: 'once', value: String(i), if: 'absent' }])
  expect('stored once', done(put), 1)
  expect('taken once', done(await race(() => [{ op: 'take', key: 'once' }])), 1)
  expect('marked once', done(await race(() => [{ op: 'mark', key: 'w', seq: 3 }])), 1)
  const marked = await race((i) => [{ op: 'mark', key: 'each', seq: i }])
  expect('each marked', done(marked), TRIES)
  const limits = [{ limit: 7, windowSeconds: 60 }]
  const counted = await race(() => [{ op: 'count', key: 'c', limits, nowMs: NOW * 1000 }])
  expect('counted', done(counted), 7)

  await increments(nodes)
  await wholeOrNothing(nodes)
}

/** Reads and conditional writes from both sides: no increment is lost, whoever was second tries again. */
async function increments(nodes: readonly Store[]): Promise<void> {
  const increment = async (store: Store): Promise<void> => {
    for (;;) {
      const { results } = await store.transact('sum', [{ op: 'get', key: 'n' }], NOW)
      const row = results[0]
      const value = String(Number(row?.value ?? 0) + 1)
      const put = { op: 'put', key: 'n', value, if: row?.version ?? 'absent' } as const
      if ((await store.transact('sum', [put], NOW)).outcome === 'done') return
    }
  }
  await Promise.all(Array.from({ length: 20 }, (_, i) => increment(nodes[i % 2] as Store)))
  const { results } = await (nodes[0] as Store).transact('sum', [{ op: 'get', key: 'n' }], NOW)
  expect('sum', results[0]?.value, '20')
}

/** Two rows and an entry of the outbox that are written together are never seen apart. */
async function wholeOrNothing(nodes: readonly Store[]): Promise<void> {
  const write = (i: number) =>
    (nodes[i % 2] as Store).transact(
      'both',
      [
        { op: 'put', key: 'left', value: String(i) },
        { op: 'append', id: String(i), value: '' },
        { op: 'put', key: 'right', value: String(i) },
        ...(i % 3 === 0 ? [{ op: 'get', key: 'none', if: 'present' } as const] : []),
      ],
      NOW,
    )
  const look = async (i: number) => {
    const operations = [{ op: 'get', key: 'left' } as const, { op: 'get', key: 'right' } as const] as const
    const { results } = await (nodes[i % 2] as Store).transact('both', operations, NOW)
    expect('both sides', results[0]?.value, results[1]?.value)
  }
  await Promise.all(Array.from({ length: TRIES }, (_, i) => (i % 2 === 0 ? write(i / 2) : look(i))))
  const entries = new Set<string>()
  for await (const { partition, id } of (nodes[1] as Store).outbox())
    if (partition === 'both') entries.add(id)
  const written = Array.from({ length: TRIES / 2 }, (_, i) => i).filter((i) => i % 3 !== 0)
  expect(
    'entries',
    [...entries]
      .map(Number)
      .sort((a, b) => a - b)
      .join(),
    written.join(),
  )
}

function expect(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`)
}
