/**
 * The agent: connects to services on a user's behalf.
 */
import { abortable, originOf } from '../client/index.ts'
import { warnOf } from './check-wish.ts'
import { type AgentContext, contextOf } from './context.ts'
import { establish, type Opened } from './establish.ts'
import { giveBack } from './give-back.ts'
import { connectionFrom } from './kept-session.ts'
import { openSession, resumeSession } from './open-session.ts'
import type { AgentOptions, ConnectOptions, ResumeOptions } from './options.ts'
import type { AgentSession } from './session.ts'

export interface Agent {
  readonly did: string
  /**
   * The nine steps with the service at this address. A grant of fewer scopes than asked for is a result; see `requiredScopes`. With a
   * vault, a handshake that waits for the user survives the end of this process: the same call goes on with it.
   *
   * @throws ScopesDenied when nothing is granted, or not what is required
   * @throws IdentityError, PermissionError, HandshakeError by the name of what failed; `rule` says which rule the server broke, `setting`
   *   which of our own settings to check
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
      const establishing = establish(agent, originOf(url, agent), wish)
      // Whatever it waits for, a signer or a vault that takes no signal too: the caller's abort is heard at once.
      const opened = await abortable(establishing, wish.signal, givenBack(agent))
      const { replaced } = opened
      // Its grant would be left over.
      if (replaced !== undefined) void giveBack(agent, connectionFrom(agent, replaced))
      return openSession(agent, opened)
    },
    resume: async (url, resumption = {}) => resumeSession(agent, originOf(url, agent), resumption),
  }
}

/** What comes after nobody waits for it any more ends at once on both sides. */
const givenBack =
  (agent: AgentContext) =>
  ({ connection }: Opened): void =>
    void giveBack(agent, connection).then(() => connection.keeper?.forget())
