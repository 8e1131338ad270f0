import { randomInteger } from 'athkit/crypto'
import type { Store } from 'athkit/store'
import { keptRequests } from './kept-requests.ts'
import { type Cost, loadSealed } from './load.ts'
import { party, userParty } from './parties.ts'
import { type Server, startServer } from './server-process.ts'
import { createSessionRows } from './session-rows.ts'
import { openStore } from './stores.ts'
import { median, row } from './table.ts'

/** The same sessions are asked for whatever else lives in the store: it is about the store's size, not about the node's cache. */
const ASKED = 100
const FEW = 1000
/** For each of the sessions, in one round. */
const REQUESTS = 10
const ROUNDS = 11
const WARM_UPS = 5

/**
 * What a sealed request costs among a thousand live sessions, and among very many, on two stores of a kind that are measured in
 * turn.
 *
 * @param bytes of a store on its disk
 */
export async function compareSessions(
  name: string,
  many: number,
  { few: fewAt, many: manyAt, bytes }: { few: string; many: string; bytes: (at: string) => Promise<number> },
): Promise<void> {
  const [few, among] = [await opened(fewAt), await opened(manyAt)]
  await fill(fewAt, FEW - ASKED)
  const both = async () => [await few.round(), await among.round()] as const
  for (let i = 0; i < WARM_UPS; i++) await both()
  const size = async () => ({ store: await bytes(manyAt), process: await among.server.ask<number>('memory') })
  const before = await size()
  await fill(manyAt, many - ASKED)
  const after = await size()
  const per = (of: 'store' | 'process') => Math.max(0, after[of] - before[of]) / (many - ASKED)

  const [times, cpus, rates] = [[] as number[], [] as number[], [] as number[]]
  for (let i = 0; i < ROUNDS; i++) {
    const [one, other] = await both()
    times.push(one.perSecond / other.perSecond)
    cpus.push(other.cpu / one.cpu)
    rates.push(other.perSecond)
  }
  row(
    `time per sealed request, ${many.toLocaleString('en')} / ${FEW.toLocaleString('en')} live sessions, ${name}`,
    median(times).toFixed(2),
    `the service's CPU × ${median(cpus).toFixed(2)}; ${median(rates).toFixed(0)} per second among them all`,
  )
  row(
    `memory per live session, ${name}`,
    '',
    `${per('store').toFixed(0)} bytes in the store, ${per('process').toFixed(1)} in the service's process`,
  )
  few.server.stop()
  among.server.stop()
}

async function opened(store: string): Promise<{ server: Server; round: () => Promise<Cost> }> {
  const server = await startServer(userParty.did, 'plain', store)
  const makers: Awaited<ReturnType<typeof keptRequests>>[] = []
  for (let i = 0; i < ASKED; i++) makers.push(await keptRequests(server, await party()))
  const round = async () => {
    const requests: Uint8Array[] = []
    for (const make of makers) requests.push(...(await make(REQUESTS)))
    return loadSealed(server, shuffled(requests))
  }
  return { server, round }
}

function shuffled<T>(list: T[]): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = randomInteger(i + 1)
    ;[list[i], list[j]] = [list[j] as T, list[i] as T]
  }
  return list
}

const AT_ONCE = 500

/** Inserts sessions through the store's contract. */
async function fill(at: string, count: number): Promise<void> {
  const store = await openStore(at)
  const make = await createSessionRows()
  const begin = performance.now()
  for (let done = 0; done < count; ) {
    const size = Math.min(AT_ONCE, count - done)
    await insert(store, Array.from({ length: size }, make).flat())
    done += size
    if (done % 50_000 === 0) progress(done, count, begin)
  }
  await store.close()
}

async function insert(store: Store, transactions: ReturnType<Awaited<ReturnType<typeof createSessionRows>>>) {
  const now = Math.floor(Date.now() / 1000)
  await Promise.all(
    transactions.map(({ partition, operations }) => store.transact(partition, operations, now)),
  )
}

function progress(done: number, count: number, begin: number): void {
  const seconds = (performance.now() - begin) / 1000
  console.error(
    `${done.toLocaleString('en')} of ${count.toLocaleString('en')} sessions, ${seconds.toFixed(0)} s`,
  )
}
