/** A session that goes on with a connection, and with others like it as they are needed. */
import type { JsonObject } from '../crypto/json.ts'
import { AthError } from '../errors.ts'
import { claimsOf } from '../handshake/index.ts'
import type { AgentContext } from './context.ts'
import { ScopesDenied } from './denied.ts'
import { establish, establishSilently, type Opened } from './establish.ts'
import { createNarrator } from './events.ts'
import { prepare } from './from-vault.ts'
import { giveBack } from './give-back.ts'
import { createKeeper, findSession } from './keeper.ts'
import { connectionFrom } from './kept-session.ts'
import { createLive } from './live.ts'
import type { ConnectOptions, ResumeOptions, StepUpOptions } from './options.ts'
import { type AgentSession, createSession } from './session.ts'

/** @param silentAt Unix seconds: when a handshake was made last that nobody had asked for */
export function openSession(agent: AgentContext, opened: Opened, silentAt = 0): AgentSession {
  let { prepared } = opened
  const { audience } = opened.connection
  const { tell } = createNarrator(prepared.wish.onStep)
  const live = createLive(
    agent,
    opened.connection,
    {
      silentAt,
      shake: (at) => establishSilently(prepared, audience, at),
      async reload(connection) {
        const kept = await connection.keeper?.newest(connection)
        if (kept === undefined || agent.vault === undefined) return undefined
        const keeper = createKeeper(agent.vault, audience, kept.sid)
        return { connection: connectionFrom(agent, kept, keeper), silentAt: kept.silentAt }
      },
    },
    tell,
  )

  /** What is granted now stays granted: a grant that lacks some of it is given back. */
  async function stepUp(options: StepUpOptions): Promise<void> {
    const { connection } = live.current()
    const held = connection.claims.scope.split(' ')
    const more = options.scopes.filter((scope) => !held.includes(scope))
    if (more.length === 0) throw new TypeError('scopes: some that are not granted yet')
    const { authorization, signal: _, onPending: __, reauthorize: ___, ...before } = prepared.wish
    const wish: ConnectOptions = {
      ...before,
      // The one that was shown may hold more than was asked for; if not, a vault may have another.
      ...(agent.vault === undefined || holds(authorization, more) ? { authorization } : {}),
      ...options,
      scopes: [...held, ...more],
      requiredScopes: [...held, ...(options.requiredScopes ?? [])],
    }
    const made = await establish(agent, audience, wish)
    const granted = made.connection.claims.scope.split(' ')
    if (!more.some((scope) => granted.includes(scope))) {
      await giveBack(agent, made.connection)
      throw new ScopesDenied(made.connection.denied, 'nothing more was granted')
    }
    prepared = made.prepared
    if (await live.adopt(made.connection)) return
    await giveBack(agent, made.connection)
    throw new AthError('session_closed', 'the session was closed meanwhile')
  }

  return createSession(agent, live, { tell, stepUp })
}

function holds(credential: string | JsonObject, wanted: readonly string[]): boolean {
  const { scopes } = claimsOf(credential)
  return Array.isArray(scopes) && wanted.every((scope) => scopes.includes(scope))
}

/** @returns undefined where none is kept, or its grant is over and a new one takes the user */
export async function resumeSession(
  agent: AgentContext,
  origin: string,
  { onStep }: ResumeOptions,
): Promise<AgentSession | undefined> {
  const { vault } = agent
  if (vault === undefined) throw new TypeError('vault: one that has the session')
  const kept = await findSession(vault, origin)
  if (kept === undefined) return undefined
  const keeper = createKeeper(vault, origin, kept.sid)
  if (kept.askedUser && kept.grantEnd <= agent.now()) {
    await keeper.forget()
    return undefined
  }
  const wish = { ...kept.wish, keep: true, ...(onStep === undefined ? {} : { onStep }) }
  const prepared = await prepare(agent, origin, wish)
  return openSession(agent, { prepared, connection: connectionFrom(agent, kept, keeper) }, kept.silentAt)
}
