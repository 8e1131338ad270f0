import type { JsonObject } from '../../crypto/json.ts'
import type { Row } from '../../store/store.ts'
import type { Bookkeeping } from '../context.ts'
import { record, write } from '../record.ts'
import { clientPartition, SUSPENDED_KEY } from '../revocation/index-rows.ts'

export type ApprovalState = 'pending' | 'approved' | 'suspended'

/**
 * Row `approval` of a client's partition: what the operator has said about an agent. Beside it, row `suspended` is there as long as it
 * is suspended, for the transaction that enters a grant to look for (`index-rows.ts`).
 */
export interface ApprovalRow {
  readonly state: ApprovalState
  /** Unix seconds. */
  readonly since: number
  /** Who decided it, and what they noted; absent while it is pending. */
  readonly by?: string
  readonly note?: string
  /** What is known here about the agent, by the time it first came. */
  readonly info?: JsonObject
}

const APPROVAL_KEY = 'approval'

/** The agents that there is a word about, or one is waited for: rows `STATE:DID`. What counts stands with the agent. */
const AGENTS = 'agents'
const listedKey = (state: ApprovalState, did: string) => `${state}:${did}`
const STATES: readonly ApprovalState[] = ['pending', 'approved', 'suspended']

/** An agent that was not heard of for so long waits no more. */
const PENDING_SECONDS = 7 * 86_400
/** Keys cost nothing: strangers with ever new ones fill nobody's list. */
const PENDING_LIMIT = { limit: 100, windowSeconds: 3600 }

/** Reads it, in a transaction of the client's partition. */
export const GET_APPROVAL = { op: 'get', key: APPROVAL_KEY } as const

export const approvalIn = (row: Row | undefined): ApprovalRow | undefined =>
  row === undefined ? undefined : (JSON.parse(row.value) as ApprovalRow)

export async function approvalOf(context: Bookkeeping, did: string): Promise<ApprovalRow | undefined> {
  const { results } = await context.store.transact(clientPartition(did), [GET_APPROVAL], context.now())
  return approvalIn(results[0])
}

/** Lists an agent that has proven itself, so that the operator can decide about it. Some that come in a flood are not listed. */
export async function waitForApproval(
  context: Bookkeeping & { nowMs(): number },
  did: string,
  info: JsonObject,
): Promise<void> {
  const now = context.now()
  const expiresAt = now + PENDING_SECONDS
  const listed = await context.store.transact(
    AGENTS,
    [
      { op: 'count', key: 'new', limits: [PENDING_LIMIT], nowMs: context.nowMs() },
      { op: 'put', key: listedKey('pending', did), value: '', expiresAt },
    ],
    now,
  )
  if (listed.outcome !== 'done') return
  const row: ApprovalRow = { state: 'pending', since: now, info }
  const value = JSON.stringify(row)
  await record(
    context,
    clientPartition(did),
    [{ op: 'put', key: APPROVAL_KEY, value, if: 'absent', expiresAt }],
    [{ type: 'agent_changed', clientDid: did, state: 'pending' }],
  )
}

export interface Decided {
  readonly state: 'approved' | 'suspended'
  readonly by: string
  readonly note: string
}

/** Writes the operator's word down. It holds from now on; a grant that is being committed sees it, or is seen. */
export async function decide(context: Bookkeeping, did: string, decided: Decided): Promise<void> {
  const now = context.now()
  await context.store.transact(AGENTS, [{ op: 'put', key: listedKey(decided.state, did), value: '' }], now)
  const before = await approvalOf(context, did)
  const row: ApprovalRow = {
    ...decided,
    since: now,
    ...(before?.info === undefined ? {} : { info: before.info }),
  }
  const suspended =
    decided.state === 'suspended'
      ? ({ op: 'put', key: SUSPENDED_KEY, value: '' } as const)
      : ({ op: 'delete', key: SUSPENDED_KEY } as const)
  const { state, by, note: reason } = decided
  const event = { type: 'agent_changed', clientDid: did, state, by, reason } as const
  await write(
    context,
    clientPartition(did),
    [{ op: 'put', key: APPROVAL_KEY, value: JSON.stringify(row) }, suspended],
    [event],
  )
  const others = STATES.filter((state) => state !== decided.state)
  const deletions = others.map((state) => ({ op: 'delete', key: listedKey(state, did) }) as const)
  await context.store.transact(AGENTS, deletions, now)
  context.emit(event)
}

const MOST_LISTED = 1000
const AT_ONCE = 50

export interface ListedAgent extends ApprovalRow {
  readonly did: string
}

/** Those in a state, by their DIDs: at most a thousand of each. */
export async function listAgents(
  context: Bookkeeping,
  state?: ApprovalState,
): Promise<readonly ListedAgent[]> {
  const states = state === undefined ? STATES : [state]
  const operations = states.map((each) => ({ op: 'list', prefix: `${each}:`, limit: MOST_LISTED }) as const)
  const { results } = await context.store.transact(AGENTS, operations, context.now())
  const dids = new Set<string>()
  for (const rows of results) for (const { key } of rows ?? []) dids.add(key.slice(key.indexOf(':') + 1))
  const waiting = [...dids].sort()
  const agents: ListedAgent[] = []
  for (let first = 0; first < waiting.length; first += AT_ONCE) {
    const some = waiting.slice(first, first + AT_ONCE)
    const rows = await Promise.all(some.map((did) => approvalOf(context, did)))
    rows.forEach((row, index) => {
      const did = some[index] ?? ''
      // What is listed in a state may have left it just now.
      if (row !== undefined && (state === undefined || row.state === state)) agents.push({ did, ...row })
    })
  }
  return agents
}
