import type { Json, JsonObject } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'
import { HandshakeError, refuse } from '../errors.ts'
import type { ConfirmationRequest } from '../handshake/index.ts'
import type { ServiceContext } from './context.ts'
import type { ServiceEvent } from './events.ts'
import { isExpired } from './handshake-rows.ts'
import type { Answer, HandshakeState, Phase } from './handshake-state.ts'
import type { PolicyDecision } from './policy/index.ts'
import { takenBefore, tokenReceiptIsGone } from './receipts.ts'
import { proveIdentity } from './steps/identity.ts'
import { exchangeKeys } from './steps/keys.ts'
import { settle } from './steps/pending.ts'
import { requestScopes } from './steps/scopes.ts'
import { answerOf, type Step } from './steps/step.ts'
import type { Traced } from './telemetry/telemetry.ts'
import { traced } from './telemetry/traced.ts'

/** What came of a flight: the state that is to be committed, and the answers in order (ATH-3.6). */
export interface Flown {
  readonly state: HandshakeState
  readonly answers: readonly Answer[]
  readonly refusal?: HandshakeError
  readonly question?: ConfirmationRequest
  /** What was decided on the way, in order. */
  readonly events?: readonly ServiceEvent[]
}

/** Takes messages in order, up to the first that fails or waits; those behind a wait are kept. */
export async function fly(
  context: ServiceContext,
  before: HandshakeState,
  messages: readonly Json[],
  isArray: boolean,
): Promise<Flown> {
  const receivedAt = context.now()
  const answers: Answer[] = []
  const events: ServiceEvent[] = []
  let state = before
  let policy: PolicyDecision | undefined
  for (const [index, message] of messages.entries()) {
    const step = await tried(context, state, message, { receivedAt, policy })
    policy = step.policy
    const behind = messages.slice(index + 1)
    const isFirstScopeRequest = state.m5 === undefined && step.state.m5 !== undefined
    state = isFirstScopeRequest ? withFlight(step, behind, isArray, receivedAt) : step.state
    if (step.waits === true) state = keep(state, behind, receivedAt)
    answers.push(step.answer)
    events.push(...(step.events ?? []))
    const rest = {
      state,
      answers,
      events,
      ...(step.question === undefined ? {} : { question: step.question }),
    }
    if (step.refusal !== undefined) return { ...rest, refusal: step.refusal }
    if (step.waits === true || step.answer.status >= 400) return rest
  }
  return { state, answers, events }
}

/** The outcome of a question, and what was kept behind it: made when it is first fetched (ATH-3.6). */
export async function settleAndFollow(context: ServiceContext, before: HandshakeState): Promise<Step> {
  const settled = await settle(context, before)
  let state = settled.state
  if (state.phase !== 'keys') return settled
  const { flight } = state
  const events = [...(settled.events ?? [])]
  for (const { message, receivedAt } of flight?.kept ?? []) {
    const step = await tried(context, state, message, { receivedAt })
    if (step.answer.status === 429 || step.answer.status >= 500)
      throw step.refusal ?? new Error('not answered')
    state = step.state
    events.push(...(step.events ?? []))
    if (step.refusal === undefined) continue
    if (flight !== undefined) state = { ...state, flight: { ...flight, failure: step.answer } }
    break
  }
  return { ...settled, events, state: { ...state, flight: { ...(state.flight ?? NO_FLIGHT), kept: [] } } }
}

const NO_FLIGHT = { isArray: false, kept: [], withKeys: false }

function withFlight(
  step: Step,
  behind: readonly Json[],
  isArray: boolean,
  receivedAt: number,
): HandshakeState {
  const kept = step.waits === true ? behind.map((message) => ({ message, receivedAt })) : []
  return { ...step.state, flight: { isArray, kept, withKeys: behind.length > 0 } }
}

/** A flight may be sent again with more behind the wait than at first. */
function keep(state: HandshakeState, behind: readonly Json[], receivedAt: number): HandshakeState {
  const { flight } = state
  if (behind.length === 0 || flight === undefined || flight.kept.length > 0) return state
  return {
    ...state,
    flight: { ...flight, withKeys: true, kept: behind.map((message) => ({ message, receivedAt })) },
  }
}

/** What is known of a message beside itself. */
interface Came {
  readonly receivedAt: number
  /** From the message before it in the flight. */
  readonly policy?: PolicyDecision | undefined
}

const tried = (context: ServiceContext, state: HandshakeState, message: Json, came: Came) =>
  traced(context, nameOf(message), () => attempt(context, state, message, came), outcomeOfStep)

const NAMES: ReadonlyMap<Json | undefined, Traced> = new Map<Json | undefined, Traced>([
  ['identity_proof', 'm3'],
  ['scope_request', 'm5'],
  ['key_exchange', 'm9a'],
])

const nameOf = (message: Json): Traced => (isObject(message) ? NAMES.get(message.type) : undefined) ?? 'other'

const outcomeOfStep = ({ answer, refusal }: Step) => ({ status: answer.status, error: refusal?.error })

/** One message. A refusal that takes no step leaves the state as it is. */
async function attempt(
  context: ServiceContext,
  state: HandshakeState,
  message: Json,
  came: Came,
): Promise<Step> {
  try {
    return await take(context, state, message, came)
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    return { state, answer: answerOf(error, context.now()), refusal: error }
  }
}

/** In this order: receipt, expiry, whether it is known, whether it is due; then the step's own checks. */
async function take(
  context: ServiceContext,
  state: HandshakeState,
  message: Json,
  came: Came,
): Promise<Step> {
  if (isObject(message)) {
    const known = takenBefore(state, message)
    if (known?.answer !== undefined) return receipt(context, state, known.answer)
    if (known !== undefined && state.phase === 'asking') return settleAndFollow(context, state)
  }
  if (isExpired(state, context))
    throw refuse('handshake_timeout', 'not advanced in time', { rule: 'ATH-3.7' })
  if (state.phase === 'ended' || state.phase === 'complete') throw outOfOrder('the handshake has ended')
  if (!isObject(message) || !KNOWN.has(message.type)) {
    throw refuse('malformed_message', 'no message of a handshake', { rule: 'ATH-1.1' })
  }
  if (message.type !== DUE[state.phase]) throw outOfOrder(`the handshake is at ${state.phase}`)
  return advance(context, state, message, came)
}

function advance(context: ServiceContext, state: HandshakeState, message: JsonObject, came: Came) {
  switch (state.phase) {
    case 'identity':
      return proveIdentity(context, state, message)
    case 'scopes':
      return requestScopes(context, state, message, came.policy)
    default:
      return exchangeKeys(context, state, message, came.receivedAt)
  }
}

const DUE: Record<Phase, string | undefined> = {
  identity: 'identity_proof',
  scopes: 'scope_request',
  asking: undefined,
  keys: 'key_exchange',
  complete: undefined,
  ended: undefined,
}

const KNOWN: ReadonlySet<Json> = new Set([
  'handshake_request',
  'identity_proof',
  'scope_request',
  'key_exchange',
])

/** The identical answer (ATH-3.5); one that holds a token only while its session may still begin. */
function receipt(context: ServiceContext, state: HandshakeState, answer: Answer): Step {
  const holdsToken = answer === state.m9a?.answer && answer.status === 200
  if (holdsToken && tokenReceiptIsGone(state, context.now()))
    throw outOfOrder('the receipt of m9b was erased')
  return { state, answer }
}

export const outOfOrder = (reason: string) => refuse('out_of_order', reason, { rule: 'ATH-3.5' })
