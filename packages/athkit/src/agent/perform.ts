/**
 * A sealed request, sent until it has its answer (ATH-7.6, ATH-7.7, ATH-7.11, ATH-9): under a new number after a lost answer, after the
 * wait that the server asks for, with a new token, under new keys. Whatever is sent again is idempotent by its method or by its key.
 */
import { backoff } from '../client/index.ts'
import { AthError, HandshakeError, refuse } from '../errors.ts'
import { type AgentContext, KEYS_LIVE_SECONDS } from './context.ts'
import { exchangeInTurn, type OuterAnswer, type SealedAnswer } from './exchange.ts'
import { type InnerRequest, isRepeatable } from './inner-request.ts'
import type { Live, LiveSession } from './live.ts'
import { refusalOf } from './own.ts'

/** How often each thing may go wrong with one request. */
const MOST = {
  network: 4,
  replayed: 5,
  inProgress: 20,
  token: 1,
  busy: 4,
  lost: 2,
  garbled: 2,
  stale: 3,
} as const
type Trouble = keyof typeof MOST

/** Seconds in all that one request waits because the server says so. */
const PATIENCE = 120

/** Whose word it is that went wrong. */
interface Failure {
  readonly live: Live
  readonly token: string
  readonly answer: SealedAnswer | OuterAnswer | undefined
  readonly error: unknown
}

/** @throws HandshakeError what ATH refused it with; AthError when it cannot be sent, or its answer is not the server's */
export async function perform(
  agent: AgentContext,
  session: LiveSession,
  request: InnerRequest,
  signal: AbortSignal | undefined,
): Promise<SealedAnswer> {
  const recover = createRecovery(agent, session, signal)
  for (;;) {
    const live = session.current()
    const { token } = live.connection
    const failure = await attempt(agent, live, request, signal)
    if ('head' in failure) return failure
    if (!isRepeatable(request) || signal?.aborted === true) throw failure.error
    await recover({ ...failure, live, token })
  }
}

async function attempt(
  agent: AgentContext,
  live: Live,
  request: InnerRequest,
  signal: AbortSignal | undefined,
): Promise<SealedAnswer | Pick<Failure, 'answer' | 'error'>> {
  let answer: SealedAnswer | OuterAnswer | undefined
  try {
    checkAge(agent, live)
    await live.rotator.rotateIfDue(signal)
    await live.renewer.renewIfDue(signal)
    answer = await exchangeInTurn(agent, live.connection, request, signal)
    if (!answer.sealed) return { answer, error: answer.error }
    if (answer.head.ath !== true || answer.head.status < 400) return answer
    return { answer, error: await refusalOf(answer, signal) }
  } catch (error) {
    return { answer, error }
  }
}

function checkAge(agent: AgentContext, { connection }: Live): void {
  if (agent.now() - connection.epoch.keys.createdAt < KEYS_LIVE_SECONDS) return
  throw refuse('session_expired', 'the keys are older than 86400 s', { rule: 'ATH-7.9' })
}

/** Does what makes another attempt worth it, or throws the failure's error. */
function createRecovery(agent: AgentContext, session: LiveSession, signal: AbortSignal | undefined) {
  const spent = new Map<Trouble, number>()
  let patience = PATIENCE

  /** How often it went wrong before. @throws the error, when that was often enough */
  function count(trouble: Trouble, error: unknown): number {
    const before = spent.get(trouble) ?? 0
    if (before >= MOST[trouble]) throw error
    spent.set(trouble, before + 1)
    return before
  }

  async function pause(trouble: Trouble, error: unknown, seconds?: number): Promise<void> {
    const milliseconds = seconds === undefined ? backoff(count(trouble, error)) : seconds * 1000
    if (seconds !== undefined) count(trouble, error)
    patience -= milliseconds / 1000
    if (patience < 0) throw error
    await agent.sleep(milliseconds, signal)
  }

  async function fromRefusal(
    failure: Failure & { answer: SealedAnswer; error: HandshakeError },
  ): Promise<void> {
    const { live, error, answer, token } = failure
    switch (error.error) {
      case 'replayed':
        count('replayed', error)
        // None left under these keys: there are others.
        if (error.nextSeq === undefined) await live.rotator.rotate(signal)
        else answer.epoch.sequence.jumpTo(error.nextSeq)
        return
      case 'in_progress':
        return pause('inProgress', error)
      case 'token_invalid':
        count('token', error)
        if (live.connection.token === token) await live.renewer.renew(signal)
        return
      case 'session_expired':
        count('lost', error)
        return session.replace(live, error, signal)
      default:
        return waitOrThrow(error)
    }
  }

  /** What was said outside the seal: nothing is dropped for it (ATH-7.11). */
  async function fromHearsay(failure: Failure & { error: HandshakeError }): Promise<void> {
    const { live, error, answer } = failure
    if (error.error === 'malformed_message') return pause('garbled', error)
    if (error.error !== 'session_unknown' && error.error !== 'session_expired') return waitOrThrow(error)
    const isStale =
      session.current() !== live || (answer !== undefined && answer.epoch !== live.connection.epoch)
    count(isStale ? 'stale' : 'lost', error)
    if (!isStale) await session.replace(live, error, signal)
  }

  async function waitOrThrow(error: HandshakeError): Promise<void> {
    if (!error.retryable || error.code === 408) throw error
    return pause('busy', error, error.retryAfter)
  }

  return async (failure: Failure): Promise<void> => {
    const { error, answer } = failure
    if (error instanceof AthError && error.trouble === 'transport_failed') return pause('network', error)
    if (!(error instanceof HandshakeError)) throw error
    if (answer?.sealed === true) return fromRefusal({ ...failure, answer, error })
    return fromHearsay({ ...failure, error })
  }
}
