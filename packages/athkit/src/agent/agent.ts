/**
 * The agent: connects to services on a user's behalf.
 */
import { backoff, LONGEST_WAIT, originOf } from '../client/index.ts'
import { AthError, HandshakeError } from '../errors.ts'
import { areScopes } from '../handshake/index.ts'
import { shakeHands } from './connect.ts'
import { type Connection, connectionOf } from './connection.ts'
import { type AgentContext, contextOf } from './context.ts'
import { ScopesDenied } from './denied.ts'
import type { Established } from './established.ts'
import { createNarrator } from './events.ts'
import { type Prepared, prepare, rememberServer, toldApart } from './from-vault.ts'
import { createKeeper, findSession, keepSession } from './keeper.ts'
import { connectionFrom, keptOf } from './kept-session.ts'
import { createLive } from './live.ts'
import type { AgentOptions, ConnectOptions, ResumeOptions } from './options.ts'
import { type AgentSession, createSession } from './session.ts'
import type { Vault } from './vault.ts'

export interface Agent {
  readonly did: string
  /**
   * The nine steps with the service at this address. A grant of fewer scopes than asked for is a result; see `requiredScopes`.
   *
   * @throws ScopesDenied when nothing is granted, or not what is required
   * @throws IdentityError, PermissionError, HandshakeError by the name of what failed; `rule` says which rule the server broke
   * @throws AthError `transport_failed`, `peer_violation`, `server_changed`, `credential_missing`; TypeError for a mistake in the options; the signal's reason
   */
  connect(url: string | URL, options: ConnectOptions): Promise<AgentSession>
  /**
   * The session with this address that an earlier run left in the vault (`keep`). Several processes may go on with one at a time.
   *
   * @returns undefined where none is kept, or its grant is over and a new one takes the user
   * @throws TypeError without a vault
   */
  resume(url: string | URL, options?: ResumeOptions): Promise<AgentSession | undefined>
}

/** @throws TypeError for a mistake in the options */
export function createAgent(options: AgentOptions): Agent {
  const agent = contextOf(options)
  warnOf(options)
  return {
    did: agent.identity.did,
    async connect(url, wish) {
      checkWish(wish, agent)
      const origin = originOf(url, agent)
      const prepared = await prepare(agent, origin, wish)
      const established = await shakeUntilDone(prepared, origin)
      await rememberServer(agent, established)
      const session = sessionOf(prepared, await connectionOn(prepared, established, 0))
      const missing = missingFrom(established, wish.requiredScopes ?? [])
      if (missing.length === 0) return session
      await giveBack(session)
      throw new ScopesDenied(
        established.denied.filter(({ scope }) => missing.includes(scope)),
        `required, and not granted: ${missing.join(' ')}`,
      )
    },
    async resume(url, { onStep } = {}) {
      const { vault } = agent
      if (vault === undefined) throw new TypeError('vault: one that has the session')
      const origin = originOf(url, agent)
      const kept = await findSession(vault, origin)
      if (kept === undefined || (kept.askedUser && kept.grantEnd <= agent.now())) return undefined
      const wish = { ...kept.wish, keep: true, ...(onStep === undefined ? {} : { onStep }) }
      const prepared = await prepare(agent, origin, wish)
      const keeper = createKeeper(vault, origin, kept.sid)
      return sessionOf(prepared, connectionFrom(agent, kept, keeper), kept.silentAt)
    },
  }
}

/** A session that goes on with this connection, and with others like it as they are needed. */
function sessionOf(prepared: Prepared, first: Connection, silentAt = 0): AgentSession {
  const { agent, wish } = prepared
  const { tell } = createNarrator(wish.onStep)
  const live = createLive(
    agent,
    first,
    {
      silentAt,
      async shake(at) {
        const established = await shakeSilently(prepared, first.audience)
        return established && connectionOn(prepared, established, at)
      },
      async reload(connection) {
        const kept = await connection.keeper?.newest(connection)
        if (kept === undefined) return undefined
        const keeper = createKeeper(vaultOf(agent), kept.audience, kept.sid)
        return { connection: connectionFrom(agent, kept, keeper), silentAt: kept.silentAt }
      },
    },
    tell,
  )
  return createSession(agent, live, tell)
}

/** In the vault before anything is sealed under its keys, where that is wished for. */
async function connectionOn(
  { agent, wish }: Prepared,
  established: Established,
  silentAt: number,
): Promise<Connection> {
  if (wish.keep !== true) return connectionOf(agent, established)
  const vault = vaultOf(agent)
  const { audience, complete } = established
  const connection = connectionOf(agent, established, createKeeper(vault, audience, complete.secrets.sid))
  await keepSession(vault, keptOf(connection, wish, silentAt))
  return connection
}

function vaultOf({ vault }: AgentContext): Vault {
  if (vault === undefined) throw new TypeError('keep: a vault to keep the session in')
  return vault
}

/** ATH-9. */
const MOST_RETRIES = 3

/** A handshake that timed out, or is not known any more, begins anew: at most three times, each after a longer while (ATH-9). */
async function shakeUntilDone({ agent, wish, knownServer }: Prepared, origin: string): Promise<Established> {
  for (let retries = 0; ; retries++) {
    try {
      return await shakeHands(agent, origin, wish)
    } catch (error) {
      const wait = retries < MOST_RETRIES ? waitBefore(error, retries) : undefined
      if (wait === undefined) throw toldApart(error, origin, knownServer)
      wish.onStep?.({ type: 'retrying', reason: (error as Error).message, milliseconds: wait })
      await agent.sleep(wait, wish.signal)
    }
  }
}

/** Milliseconds; undefined for what a new handshake would not change. */
function waitBefore(error: unknown, retries: number): number | undefined {
  if (!(error instanceof HandshakeError)) return undefined
  if (error.code === 408 || error.error === 'handshake_unknown') return backoff(retries + 1)
  // Longer than a handshake lives: it was given up meanwhile.
  const { retryAfter } = error
  const worthIt = error.retryable && retryAfter !== undefined && retryAfter <= LONGEST_WAIT
  return worthIt ? retryAfter * 1000 : undefined
}

/** Nobody is asked behind their back: as soon as somebody would be, it is given up (ATH-7.11). @returns undefined then */
async function shakeSilently({ agent, wish }: Prepared, origin: string): Promise<Established | undefined> {
  const { signal: _, ...rest } = wish
  let wouldAsk = false
  const onPending = (): never => {
    wouldAsk = true
    throw new AthError('aborted', 'a new handshake takes the user', { rule: 'ATH-7.11' })
  }
  try {
    return await shakeHands(agent, origin, { ...rest, onPending })
  } catch (error) {
    if (wouldAsk) return undefined
    throw error
  }
}

function missingFrom({ messages }: Established, required: readonly string[]): readonly string[] {
  return required.filter((scope) => !messages.m8.scopes_granted.includes(scope))
}

/** So that the grant ends, and the credential's use is released (ATH-3.6); what fails here lapses by itself. */
async function giveBack(session: AgentSession): Promise<void> {
  try {
    await session.close()
  } catch (error) {
    if (!(error instanceof HandshakeError || error instanceof AthError)) throw error
  }
}

function checkWish(
  { scopes, requiredScopes = [], ttlSeconds, keep }: ConnectOptions,
  agent: AgentContext,
): void {
  if (keep === true) vaultOf(agent)
  if (typeof scopes !== 'function' && (scopes.length === 0 || !areScopes(scopes))) {
    throw new TypeError('scopes: some, of the form resource:action, each once')
  }
  if (typeof scopes !== 'function' && !requiredScopes.every((scope) => scopes.includes(scope))) {
    throw new TypeError('requiredScopes: only what is asked for')
  }
  if (ttlSeconds !== undefined && !(Number.isSafeInteger(ttlSeconds) && ttlSeconds > 0)) {
    throw new TypeError('ttlSeconds: whole seconds, more than 0')
  }
}

function warnOf({ trustOnFirstUse, allowPlaintextOnLoopback }: AgentOptions): void {
  if (trustOnFirstUse === true) {
    console.warn('athkit: trustOnFirstUse: whoever answers at an address is taken for its server')
  }
  if (allowPlaintextOnLoopback === true) {
    console.warn('athkit: allowPlaintextOnLoopback: http: on this machine is dialled; only for development')
  }
}
