/**
 * Waiting for the user (ATH-3.4): the agent shows the code, and asks the server until it knows.
 */
import { retryAfterOf } from '../client/index.ts'
import type { JsonObject } from '../crypto/json.ts'
import { AthError, refuse } from '../errors.ts'
import { type AuthorizationPending, verifyAuthorizationPending } from '../messages/index.ts'
import { type AgentContext, LONGEST_POLL } from './context.ts'
import { fetchOutcome, type Line } from './flight.ts'

/** ATH-6.3.3. */
const LONGEST_QUESTION = 600
/** Seconds that an answer may take to come about after the deadline. */
const MARGIN = 30

/** A handshake that nobody had asked for comes to a person: it is given up (ATH-7.11). */
export class WouldAsk extends Error {
  constructor() {
    super('a new handshake takes the user')
  }
}

/** Unix seconds by our own clock, reckoned from the server's own times: its clock may differ from ours. */
export const dueOf = ({ expires_at, timestamp }: AuthorizationPending, now: number): number =>
  now + Math.min(expires_at - timestamp, LONGEST_QUESTION) + MARGIN

/**
 * Asks at least once: an agent that comes back late may still find an answer.
 *
 * @returns the answers that were still due: m8, and m9b unless all was denied
 * @throws HandshakeError `confirmation_timeout` when the deadline has passed, `malformed_message` for another question than before
 */
export async function awaitOutcome(
  line: Line,
  pending: AuthorizationPending,
  due: number,
  { now, pollSeconds }: Pick<AgentContext, 'now' | 'pollSeconds'>,
): Promise<readonly JsonObject[]> {
  for (;;) {
    const left = Math.max(0, due - now())
    const { status, headers, answers } = await fetchOutcome(line, Math.min(left, pollSeconds))
    if (status !== 202) return answers
    checkSameQuestion(verifyAuthorizationPending(answers[0], now()), pending)
    if (due <= now()) {
      throw refuse('confirmation_timeout', 'the user was not heard of in time', { rule: 'ATH-6.3.3' })
    }
    const pause = Math.max(1, Math.min(retryAfterOf(headers) ?? 1, LONGEST_POLL, due - now()))
    await line.attempts.sleep(pause * 1000, line.attempts.signal)
  }
}

/** @throws HandshakeError `malformed_message` */
export function receivePending(message: JsonObject, now: number): AuthorizationPending {
  const pending = verifyAuthorizationPending(message, now)
  if (pending.expires_at - pending.timestamp > LONGEST_QUESTION) {
    throw refuse('malformed_message', 'the question stays open for more than 600 s', {
      rule: 'ATH-6.3.3',
      step: 'authorization_pending',
    })
  }
  return pending
}

function checkSameQuestion(now: AuthorizationPending, before: AuthorizationPending): void {
  const same =
    now.request_id === before.request_id && now.confirmation_request === before.confirmation_request
  if (same && now.binding_code === before.binding_code) return
  throw new AthError('peer_violation', 'the user is asked another question than was announced', {
    rule: 'ATH-3.4',
  })
}
