import { toPem } from '../../crypto/keys.ts'
import { type HandshakeError, refuse } from '../../errors.ts'
import type { ConfirmationRequest } from '../../handshake/index.ts'
import type { ServiceContext } from '../context.ts'
import type { ServiceEvent } from '../events.ts'
import type { Answer, HandshakeState } from '../handshake-state.ts'
import type { PolicyDecision } from '../policy/index.ts'

/** What a message does: the next state, which is committed before the answer is sent (ATH-3.5), and the answer. */
export interface Step {
  readonly state: HandshakeState
  readonly answer: Answer
  /** Why it was refused, for the operator. A flight goes no further. */
  readonly refusal?: HandshakeError
  /** The user is being asked: what is behind it in the flight waits (ATH-3.6). */
  readonly waits?: boolean
  /** What it decided: written down with the state, and told once that is stored. */
  readonly events?: readonly ServiceEvent[]
  /** A question that is to be brought to the user, once the state is committed. */
  readonly question?: ConfirmationRequest
  /** What the operator said of the agent, for what is behind it in the flight: it is not asked twice in one. */
  readonly policy?: PolicyDecision
}

/** 401 and 403 in m3 and m5 end the handshake; everything else takes no step (ATH-9). */
export const endsHandshake = (error: HandshakeError): boolean => error.code === 401 || error.code === 403

/** The answer that a refusal is. */
export const answerOf = (error: HandshakeError, now: number): Answer => ({
  status: error.code,
  body: { ...error.toWire(now) },
  ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
})

/**
 * The token of m9b is signed by m2's key (ATH-6.5.3): a handshake that was begun under a key which this service has exchanged since cannot
 * be finished here, and the user is not asked for nothing.
 *
 * @throws HandshakeError `handshake_unknown`: the agent begins a new one
 */
export function requireOwnKey({ identity }: ServiceContext, { m2 }: HandshakeState): void {
  // The service wrote it, and a key has one PEM (ATH-1.4).
  if (m2.server_pubkey === toPem(identity.signer.publicKey)) return
  throw refuse('handshake_unknown', 'it was begun under a former key of the server', { rule: 'ATH-6.5.3' })
}
