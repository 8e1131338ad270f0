import type { Operation, OutboxEntry, Store, StoredRow } from './store.ts'
import { answersAsMemory } from './testing-model.ts'
import { nodesAgree } from './testing-nodes.ts'

/** One sentence of the store contract, as a check that any test runner can run. */
export interface ContractCheck {
  readonly name: string
  run(): Promise<void>
}

const NOW = 1_717_200_000

/**
 * The contract of `store.ts` as checks: every adapter passes all of them, on its real database.
 *
 * @param make opens an empty store; each check closes its own
 * @param another opens the store that `make` gave last once more, as another node has it: with connections of its own. Without it
 *   the store is one that nobody shares.
 */
export function storeContract(
  make: () => Promise<Store>,
  another?: () => Promise<Store>,
): readonly ContractCheck[] {
  const check = (name: string, body: (store: Store) => Promise<void>): ContractCheck => ({
    name,
    async run() {
      const store = await make()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    },
  })
  const put = (key: string, value = key): Operation => ({ op: 'put', key, value })

  return [
    check('a row is read as it was written, in its own partition alone', async (store) => {
      await store.transact('a', [{ op: 'put', key: 'k', value: 'é ☃ \u{1f600} \n' }], NOW)
      const read = await store.transact('a', [{ op: 'get', key: 'k' }], NOW)
      same(read.results[0]?.value, 'é ☃ \u{1f600} \n')
      same((await store.transact('b', [{ op: 'get', key: 'k' }], NOW)).results[0], undefined)
    }),
    check('put if absent stores once, and says what stands there', async (store) => {
      const once = { op: 'put', key: 'k', value: '1', if: 'absent' } as const
      same((await store.transact('p', [once], NOW)).outcome, 'done')
      const again = await store.transact('p', [{ ...once, value: '2' }], NOW)
      same([again.outcome, again.results[0]?.stored, again.results[0]?.row?.value], ['aborted', false, '1'])
    }),
    check('put and delete if a version hold for that version alone', async (store) => {
      const first = await store.transact('p', [{ op: 'put', key: 'k', value: '1' }], NOW)
      const version = first.results[0]?.row?.version ?? -1
      same(
        (await store.transact('p', [{ op: 'put', key: 'k', value: '2', if: version }], NOW)).outcome,
        'done',
      )
      same(
        (await store.transact('p', [{ op: 'put', key: 'k', value: '3', if: version }], NOW)).outcome,
        'aborted',
      )
      same((await store.transact('p', [{ op: 'delete', key: 'k', if: version }], NOW)).outcome, 'aborted')
      same((await store.transact('p', [{ op: 'delete', key: 'none', if: 1 }], NOW)).outcome, 'aborted')
      same((await store.transact('p', [{ op: 'delete', key: 'k' }], NOW)).results[0], { deleted: true })
    }),
    check('a version is never that of an earlier state, not even after a delete', async (store) => {
      const versions: (number | undefined)[] = []
      for (let i = 0; i < 3; i++) {
        versions.push(
          (await store.transact('p', [{ op: 'put', key: 'k', value: 'v' }], NOW)).results[0]?.row?.version,
        )
        await store.transact('p', [{ op: 'delete', key: 'k' }], NOW)
      }
      same(new Set(versions).size, 3)
    }),
    check('abort undoes everything; stop keeps what stands before; continue goes on', async (store) => {
      const refused = { op: 'get', key: 'none', if: 'present' } as const
      same((await store.transact('p', [put('a'), refused, put('b')], NOW)).outcome, 'aborted')
      same(await keys(store), [])
      const stopped = await store.transact('p', [put('a'), { ...refused, onRefusal: 'stop' }, put('b')], NOW)
      same([stopped.outcome, 'at' in stopped && stopped.at, stopped.results[2]], ['stopped', 1, undefined])
      same(await keys(store), ['a'])
      same(
        (await store.transact('p', [{ ...refused, onRefusal: 'continue' }, put('b')], NOW)).outcome,
        'done',
      )
      same(await keys(store), ['a', 'b'])
    }),
    check('an abort undoes marks, counts, takes and deletes too', async (store) => {
      await store.transact('p', [put('k')], NOW)
      const refused = { op: 'get', key: 'none', if: 'present' } as const
      const mark = { op: 'mark', key: 'w', seq: 5 } as const
      const count = {
        op: 'count',
        key: 'c',
        limits: [{ limit: 1, windowSeconds: 60 }],
        nowMs: NOW * 1000,
      } as const
      await store.transact('p', [mark, count, { op: 'take', key: 'k' }, refused], NOW)
      await store.transact('p', [{ op: 'delete', key: 'k' }, refused], NOW)
      const after = await store.transact('p', [mark, count, { op: 'take', key: 'k' }], NOW)
      same([after.outcome, after.results[2]?.value], ['done', 'k'])
    }),
    check('rows, windows and marks that have expired are absent, to the second', async (store) => {
      await store.transact('p', [{ op: 'put', key: 'k', value: 'v', expiresAt: NOW + 10 }], NOW)
      await store.transact('p', [{ op: 'mark', key: 'w', seq: 1, expiresAt: NOW + 10 }], NOW)
      same((await store.transact('p', [{ op: 'get', key: 'k', if: 'present' }], NOW + 9)).outcome, 'done')
      same((await store.transact('p', [{ op: 'get', key: 'k', if: 'absent' }], NOW + 10)).outcome, 'done')
      same((await store.transact('p', [{ op: 'mark', key: 'w', seq: 1 }], NOW + 9)).outcome, 'aborted')
      same((await store.transact('p', [{ op: 'mark', key: 'w', seq: 1 }], NOW + 10)).outcome, 'done')
      same((await store.sweep(NOW + 10, 100)) <= 2, true)
      same(await keys(store, NOW), [])
    }),
    check(
      'list gives what begins with the prefix, in the order of UTF-8 bytes, up to the limit',
      async (store) => {
        const all = ['p%', 'p_', 'pa', 'pé', 'p\u{1f600}', 'p\ufffd', 'q', 'P']
        await store.transact(
          'p',
          all.map((key) => put(key)),
          NOW,
        )
        const listed = await store.transact('p', [{ op: 'list', prefix: 'p', limit: 100 }], NOW)
        same(
          listed.results[0]?.map(({ key }) => key),
          ['p%', 'p_', 'pa', 'pé', 'p\ufffd', 'p\u{1f600}'],
        )
        const percent = await store.transact('p', [{ op: 'list', prefix: 'p%', limit: 100 }], NOW)
        same(percent.results[0]?.length, 1)
        same((await store.transact('p', [{ op: 'list', prefix: '', limit: 2 }], NOW)).results[0]?.length, 2)
      },
    ),
    check(
      'of a hundred that take one row, put one key or mark one number, exactly one does',
      async (store) => {
        await store.transact('p', [put('row')], NOW)
        const race = async (operation: Operation) => {
          const all = Array.from({ length: 100 }, () => store.transact('p', [operation], NOW))
          return (await Promise.all(all)).filter(({ outcome }) => outcome === 'done').length
        }
        same(await race({ op: 'take', key: 'row' }), 1)
        same(await race({ op: 'put', key: 'new', value: 'v', if: 'absent' }), 1)
        same(await race({ op: 'mark', key: 'w', seq: 7 }), 1)
      },
    ),
    check('marks are fresh once, out of order within 1024, up to 2^53 - 1', async (store) => {
      const mark = async (seq: number) =>
        (await store.transact('p', [{ op: 'mark', key: 'w', seq }], NOW)).results[0]
      same(await mark(2000), { fresh: true, nextSeq: 2001 })
      same(await mark(977), { fresh: true, nextSeq: 2001 })
      same(await mark(977), { fresh: false, nextSeq: 2001 })
      same(await mark(976), { fresh: false, nextSeq: 2001 })
      same(await mark(Number.MAX_SAFE_INTEGER), { fresh: true })
      same(await mark(2001), { fresh: false })
    }),
    check('counts admit no more than every limit, and say when to come again', async (store) => {
      const limits = [
        { limit: 3, windowSeconds: 1 },
        { limit: 5, windowSeconds: 60 },
      ]
      const count = async (nowMs: number) =>
        (await store.transact('p', [{ op: 'count', key: 'c', limits, nowMs }], NOW)).results[0]
      const base = NOW * 1000
      const all = await Promise.all(Array.from({ length: 50 }, () => count(base)))
      same(all.filter((one) => one?.admitted).length, 3)
      same(all.filter((one) => one?.admitted === false && one.retryAfter >= 1).length, 47)
      same([(await count(base + 1500))?.admitted, (await count(base + 1500))?.admitted], [true, true])
      same((await count(base + 3000))?.admitted, false)
      same((await count(base + 62_000))?.admitted, true)
    }),
    check(
      'the outbox holds what was appended until it is dropped, in order within a partition',
      async (store) => {
        const append = (id: string) => ({ op: 'append', id, value: `value of ${id}` }) as const
        await store.transact('p', [append('b'), put('k'), append('a')], NOW)
        await store.transact('q', [append('a')], NOW)
        await store.transact('p', [append('c')], NOW)
        same(await outbox(store, 'p'), ['b', 'a', 'c'])
        same(await outbox(store, 'q'), ['a'])
        same(await keys(store), ['k'])
        const refused = { op: 'get', key: 'none', if: 'present' } as const
        await store.transact('p', [{ op: 'drop', ids: ['b'] }, refused], NOW)
        same(await outbox(store, 'p'), ['b', 'a', 'c'])
        for (let i = 0; i < 2; i++) {
          const dropped = await store.transact('p', [{ op: 'drop', ids: ['a', 'none', 'b'] }], NOW)
          same([dropped.outcome, await outbox(store, 'p')], ['done', ['c']])
        }
        same(await outbox(store, 'q'), ['a'])
      },
    ),
    check(
      'an entry of the outbox is as durable as its transaction, and stays as it was first',
      async (store) => {
        const refused = { op: 'get', key: 'none', if: 'present' } as const
        await store.transact('p', [{ op: 'append', id: 'a', value: '1' }, refused], NOW)
        same(await outbox(store, 'p'), [])
        await store.transact('p', [{ op: 'append', id: 'a', value: '1' }], NOW)
        await store.transact('p', [{ op: 'drop', ids: ['a'] }, refused], NOW)
        await store.transact('p', [{ op: 'append', id: 'a', value: '2' }], NOW)
        same(await entries(store), [{ partition: 'p', id: 'a', value: '1' }])
        await store.transact(
          'p',
          [refused, { op: 'append', id: 'b', value: '' }].reverse() as Operation[],
          NOW,
        )
        same(await outbox(store, 'p'), ['a'])
        same(await store.sweep(NOW * 2, 100), 0)
        same(await outbox(store, 'p'), ['a'])
      },
    ),
    check('the outbox is read to its end, however long it is', async (store) => {
      const ids = Array.from({ length: 1203 }, (_, i) => `e${i}`)
      const operations = ids.map((id) => ({ op: 'append', id, value: 'v' }) as const)
      for (const partition of ['p', 'q']) await store.transact(partition, operations, NOW)
      same((await outbox(store, 'p')).join(), ids.join())
      same(new Set(await outbox(store, 'q')).size, ids.length)
    }),
    check('every row is met, with its end; windows, counters and entries are none', async (store) => {
      const all = Array.from({ length: 620 }, (_, i) => put(`k${i}`))
      await store.transact('p', all, NOW)
      const ends = { op: 'put', key: 'ends', value: 'a:b\n:c', expiresAt: NOW + 60 } as const
      const others = [
        { op: 'mark', key: 'w', seq: 1 } as const,
        { op: 'append', id: 'e', value: '' } as const,
      ]
      await store.transact('q', [ends, ...others], NOW)
      const met = new Map<string, StoredRow>()
      for await (const row of store.rows()) met.set(`${row.partition} ${row.key}`, row)
      same([met.size, met.get('p k7')?.value], [621, 'k7'])
      const row = met.get('q ends')
      same([row?.partition, row?.key, row?.value, row?.expiresAt], ['q', 'ends', 'a:b\n:c', NOW + 60])
      const again = { ...ends, if: row?.version ?? 0 }
      same((await store.transact('q', [again], NOW)).outcome, 'done')
    }),
    check('whatever is asked, it answers as the store in memory does', answersAsMemory),
    check('nodes agree: nothing is done twice, lost or seen by halves', async (store) => {
      const other = await another?.()
      await nodesAgree(store, other ?? store)
      await other?.close()
    }),
    check('−1 opens a window, in which nothing is marked', async (store) => {
      const mark = async (seq: number) =>
        (await store.transact('p', [{ op: 'mark', key: 'w', seq, onRefusal: 'continue' }], NOW)).results[0]
      same(await mark(-1), { fresh: true, nextSeq: 0 })
      same(await mark(-1), { fresh: false, nextSeq: 0 })
      same(
        [await mark(0), await mark(0)].map((one) => one?.fresh),
        [true, false],
      )
    }),
    check('a value of a mebibyte is kept', async (store) => {
      const value = 'x'.repeat(1_048_576)
      await store.transact('p', [{ op: 'put', key: 'k', value }], NOW)
      same((await store.transact('p', [{ op: 'get', key: 'k' }], NOW)).results[0]?.value, value)
    }),
    check('closed, it says so', async (store) => {
      await store.close()
      const error: unknown = await store.transact('p', [put('k')], NOW).catch((thrown: unknown) => thrown)
      same((error as { trouble?: string }).trouble, 'store_unavailable')
    }),
  ]
}

async function keys(store: Store, now = NOW): Promise<readonly string[]> {
  const listed = await store.transact('p', [{ op: 'list', prefix: '', limit: 100 }], now)
  return (listed.results[0] ?? []).map(({ key }) => key)
}

async function entries(store: Store): Promise<readonly OutboxEntry[]> {
  const all: OutboxEntry[] = []
  for await (const entry of store.outbox()) all.push(entry)
  return all
}

/** The ids of one partition, as they come; an entry may come twice. */
async function outbox(store: Store, partition: string): Promise<readonly string[]> {
  const mine = (await entries(store)).filter((entry) => entry.partition === partition)
  return [...new Set(mine.map(({ id }) => id))]
}

function same(actual: unknown, expected: unknown): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== e) throw new Error(`the store answered ${a?.slice(0, 200)} instead of ${e?.slice(0, 200)}`)
}
