import { randomId } from '../crypto/random.ts'
import type { Append, Operation, OutboxEntry, Outcome, ResultOf } from '../store/store.ts'
import { createChainWriter } from './chain-writer.ts'
import type { AuditFact, AuditRecord } from './entry.ts'
import { createHeads } from './heads.ts'
import type { AuditDeps, AuditOptions } from './options.ts'
import { recordsOf, recoverOthers } from './recovery.ts'

/**
 * What a process writes down (ATH-10). A fact becomes durable in the outbox of a partition, in the transaction of the state that it
 * describes; shortly after, and in the background, it gets its place in the chain of the process.
 */
export interface Audit {
  readonly process: string
  /** The operation that writes facts down, if there are any. What became of its transaction must be told. */
  begin(facts: readonly AuditFact[]): Begun
  /**
   * A transaction of the store, with facts written down in it: durable together, or neither.
   *
   * @param operations those that can stop or abort it; the audit's come behind them
   * @throws AthError `store_unavailable`
   */
  write<const Ops extends readonly Operation[]>(
    partition: string,
    operations: Ops,
    facts: readonly AuditFact[],
  ): Promise<OutcomeOf<Ops>>
  /** Gives everything that is durable its place, and signs the head. @throws AthError `store_unavailable` */
  flush(): Promise<void>
  /** {@link flush}, and nothing in the background after it. */
  close(): Promise<void>
}

export type OutcomeOf<Ops extends readonly Operation[]> = Outcome<{
  readonly [I in keyof Ops]: ResultOf<Ops[I]>
}>

export interface Begun {
  readonly operations: readonly Append[]
  /** The transaction in this partition was done. */
  settle(partition: string): void
  /** It was not done. */
  discard(): void
  /** Nobody knows: the outboxes will tell. */
  unknown(): void
}

const CHAIN_AFTER_MS = 100
const AGAIN_AFTER_MS = 1000
const MOST_PATIENCE_MS = 60_000
const START_AFTER_MS = 1000

/** More than this is left in the outboxes, and read from there. */
const MOST_QUEUED = 10_000

export function createAudit(deps: AuditDeps, options: AuditOptions = {}): Audit {
  const { store, now } = deps
  const { process = randomId('p_'), headEverySeconds = 60 } = options
  const own = createChainWriter(store, process, now)
  const heads = createHeads(deps, options)
  /** Ids whose transaction is under way, and what `generation` was when it began. */
  const underWay = new Map<string, number>()
  let queue: OutboxEntry[] = []
  let generation = 0
  // Under a name that was made up just now nobody has left anything.
  let isNew = options.process === undefined
  let mustScan = !isNew
  let closed = false
  let patience = AGAIN_AFTER_MS
  let timer: ReturnType<typeof setTimeout> | undefined
  let turn: Promise<unknown> = Promise.resolve()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work, work)
    turn = mine.catch(() => undefined)
    return mine
  }

  function schedule(milliseconds = CHAIN_AFTER_MS): void {
    if (timer !== undefined || closed) return
    timer = setTimeout(() => {
      timer = undefined
      inTurn(chain).then(
        () => {
          patience = AGAIN_AFTER_MS
        },
        (cause: unknown) => {
          deps.failed(cause)
          schedule(patience)
          patience = Math.min(2 * patience, MOST_PATIENCE_MS)
        },
      )
    }, milliseconds)
    unref(timer)
  }

  async function chain(): Promise<void> {
    if (isNew && !mustScan) await own.load()
    isNew = false
    for (;;) {
      if (mustScan || own.head === undefined) await scan()
      if (queue.length === 0) return
      const records = queue
      queue = []
      if (!(await own.extend(records))) mustScan = true
    }
  }

  /**
   * Finds what has no place yet when this process does not know: the head may have been replaced by somebody else, or a transaction
   * have ended without an answer. What is under way now may be found as well, so it is not queued when it ends: another scan finds it.
   */
  async function scan(): Promise<void> {
    mustScan = true
    generation += 1
    queue = []
    const head = await own.load()
    const found = await recordsOf(store, process)
    const named = new Set(head.ids)
    await own.drop(found.filter(({ id }) => named.has(id)))
    const known = new Set([...named, ...queue.map(({ id }) => id)])
    const lost = found.filter(({ id }) => !known.has(id) && underWay.get(id) !== generation)
    queue = [...lost, ...queue]
    mustScan = false
  }

  async function tend(): Promise<void> {
    await inTurn(async () => {
      await chain()
      await heads.sign(own, process)
      await recoverOthers(deps, process, (writer, name) => heads.sign(writer, name))
    })
  }

  const tick = () => tend().catch(deps.failed)
  const first = setTimeout(tick, START_AFTER_MS)
  const interval = setInterval(tick, headEverySeconds * 1000)
  unref(first)
  unref(interval)

  async function flush(): Promise<void> {
    await inTurn(async () => {
      await chain()
      await heads.sign(own, process)
    })
  }

  function begin(facts: readonly AuditFact[]): Begun {
    if (facts.length === 0) return NOTHING
    const id = randomId()
    const record: AuditRecord = { process, facts }
    const value = JSON.stringify(record)
    const began = generation
    underWay.set(id, began)
    return {
      operations: [{ op: 'append', id, value }],
      settle(partition) {
        underWay.delete(id)
        if (began !== generation || queue.length >= MOST_QUEUED) mustScan = true
        else queue.push({ partition, id, value })
        schedule()
      },
      discard: () => underWay.delete(id),
      unknown() {
        underWay.delete(id)
        mustScan = true
        schedule(AGAIN_AFTER_MS)
      },
    }
  }

  return {
    process,
    begin,
    async write(partition, operations, facts) {
      const begun = begin(facts)
      try {
        const outcome = await store.transact(partition, [...operations, ...begun.operations], now())
        if (outcome.outcome === 'done') begun.settle(partition)
        else begun.discard()
        return outcome as never
      } catch (error) {
        begun.unknown()
        throw error
      }
    },
    flush,
    async close() {
      closed = true
      clearTimeout(timer)
      clearTimeout(first)
      clearInterval(interval)
      await flush()
    },
  }
}

/** What is begun where there is nothing to write down. */
const NOTHING: Begun = {
  operations: [],
  settle: () => undefined,
  discard: () => undefined,
  unknown: () => undefined,
}

/** Nothing that is done in the background keeps a process alive. */
function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === 'object') (timer as { unref?: () => void }).unref?.()
}
