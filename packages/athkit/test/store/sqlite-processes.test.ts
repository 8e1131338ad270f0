import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { sqlite } from '../../src/store/sqlite.ts'
import type { MarkResult, Operation, Outcome, PutResult, Row } from '../../src/store/store.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-processes-'))
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill()
  rmSync(folder, { recursive: true })
})
let files = 0
const newFile = () => join(folder, `${files++}.db`)
const program = new URL('./sqlite-other.mjs', import.meta.url).pathname

/** Runs each operation as a transaction of its own. */
interface Side {
  run<Result>(operation: Operation, now?: number): Promise<Result>
  end(): Promise<void>
}

async function here(file: string): Promise<Side> {
  const store = await sqlite(file)
  return {
    run: async (operation, now = 0) => (await store.transact('p', [operation], now)).results[0] as never,
    end: () => store.close(),
  }
}

async function elsewhere(file: string): Promise<Side & { readonly child: ChildProcess }> {
  const child = fork(program, [file], { serialization: 'advanced' })
  children.push(child)
  await once(child, 'message')
  return {
    child,
    async run(operation, now = 0) {
      const answer = once(child, 'message')
      child.send({ operations: [operation], now })
      const [outcome] = (await answer) as [Outcome<readonly unknown[]>]
      return outcome.results[0] as never
    },
    async end() {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
  }
}

for (const [name, other] of [
  ['two stores of one process', here],
  ['two processes', elsewhere],
] as const) {
  test(`${name} see at once what the other has marked, written or removed`, async () => {
    const file = newFile()
    const sides = [await here(file), await other(file)] as const
    for (let i = 0; i < 40; i++) {
      const [one, two] = i % 2 === 0 ? sides : ([sides[1], sides[0]] as const)
      const mark = { op: 'mark', key: 'w', seq: i } as const
      expect((await one.run<MarkResult>(mark)).fresh).toBe(true)
      expect(await two.run<MarkResult>(mark)).toEqual({ fresh: false, nextSeq: i + 1 })

      const get = { op: 'get', key: 'k' } as const
      const { row } = await one.run<PutResult>({ op: 'put', key: 'k', value: String(i), expiresAt: 10 })
      expect(await two.run<Row>(get, 9)).toEqual(row)
      expect(await two.run<Row>(get, 10)).toBeUndefined()
      expect(await two.run({ op: 'delete', key: 'k' })).toEqual({ deleted: true })
      expect(await one.run<Row>(get)).toBeUndefined()
      expect((await one.run<PutResult>({ op: 'put', key: 'k', value: '', if: 'absent' })).stored).toBe(true)
      expect((await two.run<PutResult>({ op: 'put', key: 'k', value: '', if: 'absent' })).stored).toBe(false)
    }
    for (const side of sides) await side.end()
  })
}

test('no version stands for two states when a process is killed and another takes its place', async () => {
  const file = newFile()
  const survivor = await here(file)
  const states = new Map<number, string>()
  const learn = ({ version, value }: Row) => {
    expect(states.get(version) ?? value).toBe(value)
    states.set(version, value)
  }
  const put = (value: string): Operation => ({ op: 'put', key: 'k', value })
  for (let round = 0; round < 4; round++) {
    const other = await elsewhere(file)
    for (let i = 0; i < 20; i++) {
      for (const [at, side] of [survivor, other].entries()) {
        learn((await side.run<{ row: Row }>(put(`${round} ${i} ${at}`))).row)
      }
    }
    // Nobody hears whether it is stored; if it is, it has a version as well.
    other.child.send({ operations: [put(`${round} unheard`)], now: 0 })
    await other.end()
    learn(await survivor.run<Row>({ op: 'get', key: 'k' }))
  }
  await survivor.end()
})

test('processes that make one file at the same moment all have it', async () => {
  const opener = new URL('./sqlite-opener.mjs', import.meta.url).pathname
  const openers = Array.from({ length: 3 }, () => fork(opener))
  children.push(...openers)
  await Promise.all(openers.map((child) => once(child, 'message')))
  for (let round = 0; round < 12; round++) {
    const file = newFile()
    const said = openers.map((child) => once(child, 'message'))
    for (const child of openers) child.send(file)
    expect(await Promise.all(said)).toEqual([
      ['opened', undefined],
      ['opened', undefined],
      ['opened', undefined],
    ])
  }
})
