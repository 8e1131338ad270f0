import type { ServiceContext } from './context.ts'
import type { ServiceEvent } from './events.ts'
import type { HandshakeState } from './handshake-state.ts'
import { record } from './record.ts'
import { handshakePartition } from './rows.ts'

/** A state as it was read, and the version that its successor replaces. */
export interface LoadedHandshake {
  readonly state: HandshakeState
  readonly version: number
}

export interface HandshakeRows {
  load(id: string): Promise<LoadedHandshake | undefined>
  /**
   * @param events written down with it, and told once it is stored
   * @returns whether it was stored: false when another node was first
   */
  save(state: HandshakeState, version: number | 'absent', events?: readonly ServiceEvent[]): Promise<boolean>
  /** Removes one that has not come to m3, so that what a flood leaves behind is bounded. */
  forget(id: string): Promise<void>
}

/** 128 random bits (ATH-3.3). */
const ID = /^[A-Za-z0-9_-]{22}$/
const MOST_CACHED = 2000

/** Reads and writes states. What this node wrote itself is not parsed again; its version says whether it still holds. */
export function handshakeRows(context: ServiceContext): HandshakeRows {
  const known = ofContext.get(context)
  if (known !== undefined) return known
  const rows = createHandshakeRows(context)
  ofContext.set(context, rows)
  return rows
}

const ofContext = new WeakMap<ServiceContext, HandshakeRows>()

function createHandshakeRows(context: ServiceContext): HandshakeRows {
  const cache = new Map<string, LoadedHandshake>()

  function remember(state: HandshakeState, version: number): LoadedHandshake {
    const loaded = { state, version }
    cache.delete(state.id)
    if (cache.size >= MOST_CACHED) cache.delete(cache.keys().next().value as string)
    cache.set(state.id, loaded)
    return loaded
  }

  async function load(id: string): Promise<LoadedHandshake | undefined> {
    if (!ID.test(id)) return undefined
    const { results } = await context.store.transact(
      handshakePartition(id),
      [{ op: 'get', key: 'state' }],
      context.now(),
    )
    const [row] = results
    if (row === undefined) return undefined
    const known = cache.get(id)
    return known?.version === row.version ? known : remember(JSON.parse(row.value), row.version)
  }

  return {
    load,

    async save(state, version, events = []) {
      const { outcome, results } = await record(
        context,
        handshakePartition(state.id),
        [
          {
            op: 'put',
            key: 'state',
            value: JSON.stringify(state),
            if: version,
            expiresAt: forgottenAt(state, context.timeouts),
          },
        ],
        events,
      )
      const stored = results[0]?.row
      if (outcome !== 'done' || stored === undefined) return false
      // What is over is asked for again by few, and would be carried about by the garbage collector for all.
      if (state.phase === 'complete' || state.phase === 'ended') cache.delete(state.id)
      else remember(state, stored.version)
      return true
    },

    async forget(id) {
      const loaded = await load(id)
      if (loaded?.state.phase !== 'identity') return
      cache.delete(id)
      const remove = { op: 'delete', key: 'state', if: loaded.version } as const
      await context.store.transact(handshakePartition(id), [remove], context.now())
    },
  }
}

/** Unix seconds: when a handshake that has come to nothing is no longer known at all (ATH-3.7). */
function forgottenAt(state: HandshakeState, timeouts: ServiceContext['timeouts']): number {
  const { handshake, fetch, remember } = timeouts
  switch (state.phase) {
    case 'identity':
      return state.advancedAt + handshake
    case 'asking':
      return (state.asking?.question.expires_at ?? state.advancedAt) + fetch + remember
    case 'complete':
      return (state.completion?.grant.provisionalUntil ?? state.advancedAt + handshake) + remember
    default:
      return state.advancedAt + handshake + remember
  }
}

/** A handshake that was not advanced in time (ATH-3.7). Waiting for the user, and what has ended, do not count. */
export function isExpired(state: HandshakeState, context: Pick<ServiceContext, 'now' | 'timeouts'>): boolean {
  if (state.phase !== 'scopes' && state.phase !== 'keys') return false
  return state.advancedAt + context.timeouts.handshake <= context.now()
}
