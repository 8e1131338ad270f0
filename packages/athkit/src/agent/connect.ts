/**
 * One handshake, the agent's side: the steps, awaited in their order. What each message is made of and checked for stands in
 * `handshake/`, one file for each.
 */
import type { Attempts } from '../client/index.ts'
import type { JsonObject } from '../crypto/json.ts'
import { HandshakeError } from '../errors.ts'
import { type Begun, begin } from './begin.ts'
import { complete } from './complete.ts'
import type { AgentContext } from './context.ts'
import type { Established } from './established.ts'
import { createNarrator } from './events.ts'
import type { Wish } from './from-vault.ts'
import { awaitOutcome, dueOf, receivePending, WouldAsk } from './pending.ts'
import { type Waiting, waitingRoom } from './waiting.ts'

/** @throws HandshakeError by the name of the check that failed, or what the server refused us with; `ScopesDenied` */
export async function shakeHands(agent: AgentContext, origin: string, wish: Wish): Promise<Established> {
  const { now, sleep } = agent
  const { signal } = wish
  const tell = createNarrator(wish.onStep)
  const onRetry = (error: Error, milliseconds: number) =>
    tell.tell({ type: 'retrying', reason: error.message, milliseconds })
  const attempts: Attempts = { sleep, signal, onRetry }
  const room = wish.silent === true ? undefined : await waitingRoom(agent, origin, wish)

  try {
    // 1 – 5 · who we are, and what we ask for
    const held = await room?.find()
    if (held !== undefined) return await untilAnswered(held)
    const { begun, answers } = await begin(agent, origin, wish, { attempts, tell })
    const [first] = answers
    if (first?.type !== 'authorization_pending') return await finish(begun, answers, undefined)

    // 6 · 7 · the user is asked, on a channel that is none of ours
    const pending = receivePending(first, now())
    if (wish.silent === true) throw new WouldAsk()
    const waiting = { begun, pending, due: dueOf(pending, now()) }
    await room?.put(waiting)
    return await untilAnswered(waiting)
  } catch (error) {
    // Of m2 it has been told, check by check.
    if (!(error instanceof HandshakeError && error.step === 'm2')) tell.refused(error)
    throw error
  }

  async function untilAnswered(waiting: Waiting): Promise<Established> {
    const { begun, pending, due } = waiting
    const { expires_at: expiresAt, binding_code: bindingCode, request_id: requestId } = pending
    tell.verified('202', pending)
    tell.tell({ type: 'waiting', expiresAt, bindingCode, requestId })
    wish.onPending?.({ expiresAt, bindingCode, requestId })
    const line = { transport: agent.transport, url: begun.url, attempts }
    try {
      const answers = await awaitOutcome(line, pending, due, agent)
      // 8 · 9b · what is granted, the keys and the token
      const established = await finish(begun, answers, pending.confirmation_request)
      await room?.take(waiting)
      return established
    } catch (error) {
      await room?.settle(waiting, error)
      throw error
    }
  }

  function finish(begun: Begun, answers: readonly JsonObject[], question: string | undefined) {
    return complete(begun, answers, wish, { question, now: now(), tell })
  }
}
