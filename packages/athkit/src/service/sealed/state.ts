import { randomId } from '../../crypto/random.ts'
import type { Row } from '../../store/store.ts'
import type { ServiceContext } from '../context.ts'
import { createQueue } from '../queue.ts'
import { createLiveness, type Liveness } from './liveness.ts'
import type { KnownSession } from './sessions.ts'
import { createOpenStreams, type OpenStreams } from './streams.ts'

/**
 * What one process remembers of its sealed requests. All of it may be lost at any time: the store alone decides what was used,
 * revoked or answered (ATH-7.6).
 */
export interface NodeState {
  /** Of this process since it started; names who runs what an `Idempotency-Key` guards. */
  readonly instance: string
  /** By `sid`, the least recently used first. */
  readonly sessions: Map<string, KnownSession>
  /** Which of this process's runs under an `Idempotency-Key` have not ended. */
  readonly running: Set<number>
  nextRun(): number
  readonly liveness: Liveness
  readonly streams: OpenStreams
  /** By pair and budget: the row as this process last saw it, and one order at a time. */
  readonly ledgers: Map<string, Row>
  readonly ledgerQueue: ReturnType<typeof createQueue>
}

const states = new WeakMap<ServiceContext, NodeState>()

export function nodeState(context: ServiceContext): NodeState {
  const known = states.get(context)
  if (known !== undefined) return known
  const instance = randomId('node_')
  const running = new Set<number>()
  let runs = 0
  const state: NodeState = {
    instance,
    sessions: new Map(),
    running,
    nextRun: () => ++runs,
    liveness: createLiveness(context, instance, () => running.size > 0),
    streams: createOpenStreams(context),
    ledgers: new Map(),
    ledgerQueue: createQueue(),
  }
  states.set(context, state)
  return state
}
