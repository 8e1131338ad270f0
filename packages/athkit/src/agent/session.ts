import { abortable } from '../client/index.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { HandshakeError } from '../errors.ts'
import type { AgentContext } from './context.ts'
import type { DeniedScope } from './denied.ts'
import type { AgentEvent } from './events.ts'
import { giveBack } from './give-back.ts'
import type { LiveSession } from './live.ts'
import type { StepUpOptions } from './options.ts'
import { explaining } from './our-settings.ts'
import type { SealedInit } from './outgoing.ts'
import { callOwn } from './own.ts'
import { createSealedFetch, type SealedFetch } from './sealed-fetch.ts'

/** What the service granted, as the token in use says it. */
export interface AgentGrant {
  /** By which it is revoked (ATH-8). */
  readonly id: string
  readonly scopes: readonly string[]
  readonly denied: readonly DeniedScope[]
  readonly restrictions: JsonObject
  /** Unix seconds: the end of the grant; tokens before it are renewed. */
  readonly expiresAt: number
  readonly serverDid: string
  readonly userDid: string
}

export type RequestOptions = Omit<SealedInit, 'method'> & {
  /** Sent as `application/json`. */
  readonly json?: Json
}

/** An encrypted session with a service: keys and token are kept fresh by themselves. */
export interface AgentSession {
  readonly origin: string
  readonly grant: AgentGrant
  /**
   * `fetch`, sealed. URLs are relative to the service's origin. The application's answers are returned, whatever their status.
   *
   * @throws HandshakeError what ATH itself refused; AthError `session_closed`, `transport_failed`, `peer_violation`
   * @throws TypeError for another origin; the signal's reason
   */
  readonly fetch: SealedFetch
  /** The same in one line: `'POST /api/order'`, `{ json }`. */
  request(line: string, options?: RequestOptions): Promise<Response>
  /** New keys now (ATH-7.9); they are changed every `rotateEverySeconds` anyway. @returns the epoch */
  rotate(signal?: AbortSignal): Promise<number>
  /** A new token now (ATH-7.10); it is renewed before its end anyway. @returns its end, in Unix seconds */
  renew(signal?: AbortSignal): Promise<number>
  /**
   * Asks for more, in a new handshake, while the session goes on with what it has. Where more is granted the session has all of it, and
   * the grant before ends once its last answer is in; where it is not, nothing has changed.
   *
   * @returns the grant as it is now
   * @throws ScopesDenied when nothing more is granted, or less than the session has; all that `connect` throws
   */
  stepUp(options: StepUpOptions): Promise<AgentGrant>
  /** Ends the session and its grant on both sides (ATH-7.10). */
  close(signal?: AbortSignal): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What a server says of a session that is not there any more: so it is closed. */
const GONE = new Set(['session_unknown', 'session_expired', 'grant_revoked'])

interface SessionParts {
  readonly tell: (event: AgentEvent) => void
  readonly stepUp: (options: StepUpOptions) => Promise<void>
}

export function createSession(
  agent: AgentContext,
  live: LiveSession,
  { tell, stepUp }: SessionParts,
): AgentSession {
  const { audience: origin } = live.current().connection
  const fetch = createSealedFetch(agent, live, origin)
  let last = live.current()

  async function close(signal?: AbortSignal): Promise<void> {
    const ended = await live.end()
    const latest = ended.at(-1)
    if (latest === undefined) return
    last = latest
    tell({ type: 'closed' })
    await Promise.all(ended.slice(0, -1).map(({ connection }) => giveBack(agent, connection)))
    try {
      await callOwn(agent, latest.connection, { method: 'DELETE', path: '/ath/session' }, signal)
    } catch (error) {
      if (!(error instanceof HandshakeError && GONE.has(error.error))) throw error
    }
    await latest.connection.keeper?.forget()
  }

  /** One at a time: the next asks for more than what came of the one before. */
  let steps: Promise<unknown> = Promise.resolve()
  function inTurn(options: StepUpOptions): Promise<void> {
    const step = steps.then(() => {
      options.signal?.throwIfAborted()
      return stepUp(options)
    })
    steps = step.catch(() => undefined)
    return abortable(step, options.signal)
  }

  return {
    origin,
    fetch,
    get grant() {
      return grantNow()
    },
    request(line, { json, ...init } = {}) {
      const [method = '', path = '', ...more] = line.split(' ')
      if (path === '' || more.length > 0)
        throw new TypeError("a request is a method and a path: 'GET /api/goods'")
      if (json === undefined) return fetch(path, { ...init, method })
      const headers = new Headers(init.headers)
      if (!headers.has('content-type')) headers.set('content-type', 'application/json')
      return fetch(path, { ...init, method, headers, body: JSON.stringify(json) })
    },
    rotate: (signal) => explaining(async () => live.current().rotator.rotate(signal)),
    renew: (signal) => explaining(async () => live.current().renewer.renew(signal)),
    async stepUp(options) {
      await inTurn(options)
      return grantNow()
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }

  function grantNow(): AgentGrant {
    const { claims, grantId, grantEnd, denied } = liveOrLast().connection
    return {
      id: grantId,
      scopes: claims.scope.split(' '),
      denied,
      restrictions: claims.restrictions ?? {},
      expiresAt: grantEnd,
      serverDid: claims.iss,
      userDid: claims.sub,
    }
  }

  function liveOrLast() {
    try {
      last = live.current()
    } catch {
      // Closed: the grant is what it was.
    }
    return last
  }
}
