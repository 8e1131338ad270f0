/**
 * The connection that a session goes on with: replaced by a new handshake where a server has lost it, and ATH-7.11 allows.
 */
import { AthError } from '../errors.ts'
import { type Connection, connectionOf } from './connection.ts'
import type { AgentContext } from './context.ts'
import type { Established } from './established.ts'
import type { AgentEvent } from './events.ts'
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
   * asked nobody: what was said in the clear is hearsay, and no reason to bother a person (ATH-7.11).
   *
   * @throws the cause where that is not allowed; what the handshake failed with
   */
  replace(lost: Live, cause: unknown, signal: AbortSignal | undefined): Promise<void>
  /** @returns what it was; undefined the second time */
  end(): Live | undefined
}

const SILENT_EVERY_SECONDS = 300

/** @param shake a handshake like the first; undefined where the user would be asked */
export function createLive(
  agent: AgentContext,
  established: Established,
  shake: () => Promise<Established | undefined>,
  tell: (event: AgentEvent) => void,
): LiveSession {
  let live: Live | undefined = liveOf(established)
  let silentAt = Number.NEGATIVE_INFINITY

  function liveOf(made: Established): Live {
    const connection = connectionOf(agent, made)
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

  const handshake = singleFlight(async () => {
    if (current().connection.established.askedUser || agent.now() - silentAt < SILENT_EVERY_SECONDS)
      return false
    silentAt = agent.now()
    const made = await shake()
    if (made === undefined || live === undefined) return false
    live = liveOf(made)
    tell({ type: 'reconnected' })
    return true
  })

  return {
    current,
    async replace(lost, cause, signal) {
      if (current() !== lost) return
      if (!(await handshake(signal))) throw cause
    },
    end() {
      const ended = live
      live = undefined
      return ended
    },
  }
}
