/** From a wish to a connection: the handshake, and what has to come of it. */
import { abortable } from '../client/index.ts'
import { checkWish } from './check-wish.ts'
import { type Connection, connectionOf } from './connection.ts'
import type { AgentContext } from './context.ts'
import { ScopesDenied } from './denied.ts'
import type { Established } from './established.ts'
import { type Prepared, prepare, rememberServer } from './from-vault.ts'
import { giveBack } from './give-back.ts'
import { createKeeper, keepSession } from './keeper.ts'
import { type KeptSession, keptOf } from './kept-session.ts'
import type { ConnectOptions } from './options.ts'
import { shakeSilently, shakeUntilDone } from './until-done.ts'

export interface Opened {
  readonly prepared: Prepared
  readonly connection: Connection
  /** A session that was kept for the same origin before. */
  readonly replaced?: KeptSession | undefined
}

/** How often the user is asked for another credential because of one connection. */
const MOST_REAUTHORIZED = 3

/** @throws ScopesDenied when nothing was granted, or not what is required, and no other credential was to be had */
export async function establish(agent: AgentContext, origin: string, first: ConnectOptions): Promise<Opened> {
  let wish = first
  for (let asked = 0; ; asked++) {
    checkWish(wish, agent)
    try {
      return await establishOnce(agent, origin, wish)
    } catch (error) {
      if (!(error instanceof ScopesDenied) || asked >= MOST_REAUTHORIZED) throw error
      const obtaining = Promise.resolve(wish.reauthorize?.(error))
      const obtained = await abortable(obtaining, wish.signal)
      if (obtained === undefined) throw error
      wish = { ...wish, ...obtained }
    }
  }
}

async function establishOnce(agent: AgentContext, origin: string, wish: ConnectOptions): Promise<Opened> {
  const prepared = await abortable(prepare(agent, origin, wish), wish.signal)
  const established = await shakeUntilDone(prepared, origin)
  await rememberServer(agent, established)
  const denied = deniedOfRequired(established, wish)
  if (denied !== undefined) {
    await giveBack(agent, connectionOf(agent, established))
    throw denied
  }
  return { prepared, ...(await connectionOn(prepared, established, 0)) }
}

/** A handshake like the first that asks nobody. @returns undefined where the user would be asked, or less was granted than is required */
export async function establishSilently(
  prepared: Prepared,
  origin: string,
  at: number,
): Promise<Connection | undefined> {
  const { agent, wish } = prepared
  const established = await shakeSilently(prepared, origin)
  if (established === undefined) return undefined
  if (deniedOfRequired(established, wish) === undefined)
    return (await connectionOn(prepared, established, at)).connection
  await giveBack(agent, connectionOf(agent, established))
  return undefined
}

/** In the vault before anything is sealed under its keys, where that is wished for. */
async function connectionOn(
  { agent, wish }: Prepared,
  established: Established,
  silentAt: number,
): Promise<Omit<Opened, 'prepared'>> {
  const { vault } = agent
  if (wish.keep !== true || vault === undefined) return { connection: connectionOf(agent, established) }
  const { audience, complete } = established
  const connection = connectionOf(agent, established, createKeeper(vault, audience, complete.secrets.sid))
  const replaced = await keepSession(vault, keptOf(connection, wish, silentAt))
  return { connection, replaced }
}

function deniedOfRequired(
  { denied, messages }: Established,
  { requiredScopes = [] }: ConnectOptions,
): ScopesDenied | undefined {
  const missing = requiredScopes.filter((scope) => !messages.m8.scopes_granted.includes(scope))
  if (missing.length === 0) return undefined
  const reasons = denied.filter(({ scope }) => missing.includes(scope))
  return new ScopesDenied(reasons, `required, and not granted: ${missing.join(' ')}`)
}
