import type { Json, JsonObject } from '../crypto/json.ts'
import { HandshakeError, refuse } from '../errors.ts'
import type { ServiceContext } from './context.ts'
import { deliver } from './delivery.ts'
import type { ServiceEvent } from './events.ts'
import { type Flown, fly, outOfOrder, settleAndFollow } from './flight.ts'
import { commitGrant, isCommitted } from './grant-commit.ts'
import { handshakeRows, isExpired, type LoadedHandshake } from './handshake-rows.ts'
import type { Answer, HandshakeState } from './handshake-state.ts'
import { handshakeTopic, LOOK_AGAIN_MS } from './hub.ts'
import { createQueue } from './queue.ts'
import { tokenReceiptIsGone } from './receipts.ts'
import { answerOf, endsHandshake } from './steps/step.ts'
import { releaseUse } from './uses.ts'

export { eraseReceipt } from './receipts.ts'

/** What is sent back: one answer, or an array of them (ATH-3.6); the status is the last one's. */
export interface Reply {
  readonly status: number
  readonly body: Json
  /** Seconds. */
  readonly retryAfter?: number
}

export interface Handshakes {
  /** The messages after m1, as they came: one, or a flight of them. Every refusal is an answer. */
  advance(id: string, messages: readonly Json[], isArray: boolean): Promise<Reply>
  /**
   * What became of m5: 202 while the user is being asked, waiting for at most so many seconds.
   *
   * @throws HandshakeError `handshake_unknown`, `handshake_timeout`, `out_of_order` before m5
   */
  outcome(id: string, waitSeconds: number, signal?: AbortSignal): Promise<Reply>
}

export function createHandshakes(context: ServiceContext): Handshakes {
  const queue = createQueue()
  const rows = handshakeRows(context)

  /** Runs `work` on the state as it is, commits what it made of it, and begins again where another node was first. */
  function change(id: string, work: (state: HandshakeState) => Promise<Flown>): Promise<Flown> {
    return queue(id, async () => {
      for (;;) {
        const loaded = await rows.load(id)
        if (loaded === undefined) throw refuse('handshake_unknown', 'no such handshake', { rule: 'ATH-3.7' })
        const flown = await work(loaded.state)
        const { state, refusal, events = [] } = flown
        const isStep = state !== loaded.state
        const refused = refusal && refusalOf(state, refusal, isStep && state.phase === 'ended')
        const told = refused === undefined ? events : [...events, refused]
        if (isStep && !(await rows.save(state, loaded.version, told))) continue
        if (!isStep && refused !== undefined) context.emit(refused)
        if (flown.question !== undefined) deliver(context, flown.question, id)
        return (await commit(loaded, flown)) ?? flown
      }
    })
  }

  /** Where m9b is about to be answered, its grant is committed first; what has come between ends the handshake. */
  async function commit(loaded: LoadedHandshake, flown: Flown): Promise<Flown | undefined> {
    const { completion, m9a } = flown.state
    if (completion === undefined || m9a?.answer === undefined || !flown.answers.includes(m9a.answer))
      return undefined
    try {
      const again = loaded.state.completion !== undefined
      if (!(again && (await isCommitted(context, completion)))) await commitGrant(context, completion)
      return undefined
    } catch (error) {
      if (!(error instanceof HandshakeError) || !endsHandshake(error)) throw error
      return end(flown, m9a.message, error)
    }
  }

  async function end(flown: Flown, message: JsonObject, error: HandshakeError): Promise<Flown> {
    const answer = answerOf(error, context.now())
    const ended = await rows.load(flown.state.id)
    if (ended !== undefined) {
      const { completion: _, ...rest } = ended.state
      const state: HandshakeState = { ...rest, phase: 'ended', m9a: { message, answer } }
      // Another node finds the same refusal, and writes the same end.
      await rows.save(state, ended.version, [refusalOf(state, error, true)])
    }
    const { m1, user, id: handshakeId } = flown.state
    if (user?.maxUses !== undefined) {
      await releaseUse(context, { ...user, clientDid: m1.client_did, handshakeId })
    }
    const held = flown.state.m9a?.answer
    return { ...flown, answers: flown.answers.map((given) => (given === held ? answer : given)) }
  }

  async function advance(id: string, messages: readonly Json[], isArray: boolean): Promise<Reply> {
    try {
      const { answers } = await change(id, (state) => fly(context, state, messages, isArray))
      return replyOf(answers, isArray)
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
      return replyOf([answerOf(error, context.now())], isArray)
    }
  }

  async function look(id: string): Promise<{ readonly reply: Reply; readonly waits: boolean }> {
    let isArray = false
    const { answers } = await change(id, async (state) => {
      const { flown, asArray } = await outcomeOf(context, state)
      isArray = asArray
      return flown
    })
    return { reply: replyOf(answers, isArray), waits: answers[0]?.status === 202 }
  }

  async function outcome(id: string, waitSeconds: number, signal?: AbortSignal): Promise<Reply> {
    const until = performance.now() + waitSeconds * 1000
    const crowded = context.hub.listening(handshakeTopic(id)) >= context.limits.waiting
    const listener = context.hub.listen(handshakeTopic(id))
    try {
      for (;;) {
        const { reply, waits } = await look(id)
        const left = until - performance.now()
        if (!waits || left <= 0 || crowded || signal?.aborted === true) return reply
        await listener.next(Math.min(left, LOOK_AGAIN_MS), signal)
      }
    } finally {
      listener.close()
    }
  }

  return { advance, outcome }
}

function replyOf(answers: readonly Answer[], isArray: boolean): Reply {
  const last = answers.at(-1)
  if (last === undefined) throw new Error('a flight without an answer')
  const { status, retryAfter } = last
  const body = isArray ? answers.map((answer) => answer.body) : last.body
  return { status, body, ...(retryAfter === undefined ? {} : { retryAfter }) }
}

/** The answers that GET gives: m5's, and those of what came behind it in its flight (ATH-3.6). */
async function outcomeOf(
  context: ServiceContext,
  before: HandshakeState,
): Promise<{ readonly flown: Flown; readonly asArray: boolean }> {
  if (isExpired(before, context))
    throw refuse('handshake_timeout', 'not advanced in time', { rule: 'ATH-3.7' })
  if (before.m5 === undefined) throw outOfOrder('nothing was asked for yet')
  const step = before.phase === 'asking' ? await settleAndFollow(context, before) : undefined
  const state = step?.state ?? before
  const { flight, m5, m9a, refused } = state
  const refusal = {
    ...(step?.refusal === undefined ? {} : { refusal: step.refusal }),
    ...(step?.events === undefined ? {} : { events: step.events }),
  }
  if (step?.waits === true)
    return { flown: { state, answers: [step.answer], ...refusal }, asArray: flight?.isArray === true }
  if (m5?.answer === undefined) throw new Error('an outcome without an answer')
  if (flight?.isArray !== true) return { flown: { state, answers: [m5.answer], ...refusal }, asArray: false }
  const behind = flight.withKeys ? (m9a?.answer ?? flight.failure ?? refused?.at(-1)?.answer) : undefined
  const erased =
    m9a?.message !== undefined && (m9a.answer === undefined || isGone(context, state, m9a.answer))
  if (flight.withKeys && erased) throw outOfOrder('the receipt of m9b was erased')
  return { flown: { state, answers: [m5.answer, ...(behind ? [behind] : [])], ...refusal }, asArray: true }
}

const isGone = (context: ServiceContext, state: HandshakeState, answer: Answer): boolean =>
  answer.status === 200 && tokenReceiptIsGone(state, context.now())

/** @param ends whether the handshake is over with it: then it is written down, if it was known whose it was */
function refusalOf({ id, m1, m3, user }: HandshakeState, error: HandshakeError, ends: boolean): ServiceEvent {
  const { reason, rule, step } = error
  const of = { handshakeId: id, clientDid: m1.client_did, userDid: user?.userDid }
  const ended = ends && m3?.answer?.status === 200
  return { type: 'refused', error: error.error, reason, rule, step, ended, ...of }
}
