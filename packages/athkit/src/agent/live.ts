/**
 * The connection that a session goes on with: replaced by a new handshake where a server has lost it, and ATH-7.11 allows.
 */
import { AthError } from '../errors.ts'
import type { Connection } from './connection.ts'
import type { AgentContext } from './context.ts'
import type { AgentEvent } from './events.ts'
import { giveBack } from './give-back.ts'
import { createRenewer, type Renewer } from './renewal.ts'
import { createRotator, type Rotator } from './rotation.ts'
import { singleFlight } from './single-flight.ts'

export interface Live {
  readonly connection: Connection
  readonly rotator: Rotator
  readonly renewer: Renewer
}

export interface LiveSession {
  /** @throws AthError `session_closed` */
  current(): Live
  /**
   * A new handshake instead of this connection, once for all who ask at a time, at most every 300 s, and only where the last one
   * asked nobody: what was said in the clear is hearsay, and no reason to bother a person (ATH-7.11). Where another process has gone
   * on with a kept session, it is gone on with here.
   *
   * @throws the cause where that is not allowed; what the handshake failed with
   */
  replace(lost: Live, cause: unknown, signal: AbortSignal | undefined): Promise<void>
  /** Goes on with another connection; the one before ends once its answers are in. @returns false when the session was closed */
  adopt(connection: Connection): Promise<boolean>
  /** @returns every connection that is still there, the latest last; none the second time */
  end(): Promise<readonly Live[]>
}

/** What a session can go on with. */
export interface Sources {
  /** A handshake like the first; undefined where the user would be asked. */
  shake(at: number): Promise<Connection | undefined>
  /** What another process has made of it. */
  reload(connection: Connection): Promise<Reloaded | undefined>
  /** Unix seconds: when a handshake was made last that nobody had asked for. */
  readonly silentAt: number
}

export interface Reloaded {
  readonly connection: Connection
  readonly silentAt: number
}

const SILENT_EVERY_SECONDS = 300

export function createLive(
  agent: AgentContext,
  first: Connection,
  sources: Sources,
  tell: (event: AgentEvent) => void,
): LiveSession {
  let live: Live | undefined = liveOf(first)
  let silentAt = sources.silentAt
  const retiring = new Set<Live>()

  function liveOf(connection: Connection): Live {
    return {
      connection,
      rotator: createRotator(agent, connection, (epoch) => tell({ type: 'rotated', epoch })),
      renewer: createRenewer(agent, connection, (expiresAt) => tell({ type: 'renewed', expiresAt })),
    }
  }

  function current(): Live {
    if (live === undefined) throw new AthError('session_closed', 'the session was closed')
    return live
  }

  const goOn = singleFlight(async () => {
    const { connection } = current()
    const made = (await reload(connection)) ?? (await handshake(connection))
    if (made === undefined || live === undefined) return false
    live = liveOf(made)
    tell({ type: 'reconnected' })
    return true
  })

  async function reload(connection: Connection): Promise<Connection | undefined> {
    const reloaded = await sources.reload(connection)
    silentAt = Math.max(silentAt, reloaded?.silentAt ?? 0)
    return reloaded?.connection
  }

  async function handshake({ askedUser }: Connection): Promise<Connection | undefined> {
    const now = agent.now()
    if (askedUser || now - silentAt < SILENT_EVERY_SECONDS) return undefined
    silentAt = now
    return sources.shake(now)
  }

  return {
    current,
    async replace(lost, cause, signal) {
      if (current() !== lost) return
      if (!(await goOn(signal))) throw cause
    },
    async adopt(connection) {
      if (live === undefined) return false
      const before = live
      live = liveOf(connection)
      retiring.add(before)
      void before.connection.leases.idle().then(() => {
        if (retiring.delete(before)) return giveBack(agent, before.connection)
      })
      return true
    },
    async end() {
      if (live === undefined) return []
      const ended = live
      live = undefined
      const earlier = [...retiring]
      retiring.clear()
      const other = await reload(ended.connection)
      return [...earlier, other === undefined ? ended : liveOf(other)]
    },
  }
}
