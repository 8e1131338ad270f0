import { again, refusedBy } from '../client/index.ts'
import { utf8 } from '../crypto/bytes.ts'
import type { Json } from '../crypto/json.ts'
import { AthError, type HandshakeError } from '../errors.ts'
import { checkErrorObject } from '../messages/index.ts'
import type { Connection } from './connection.ts'
import type { AgentContext } from './context.ts'
import { exchange, ownBody, type SealedAnswer } from './exchange.ts'

/** What ATH itself refused a sealed request with. @throws AthError `peer_violation` when it is no error object */
export async function refusalOf(
  answer: SealedAnswer,
  signal: AbortSignal | undefined,
): Promise<HandshakeError> {
  const body = await ownBody(answer, signal)
  return refusedBy(
    checkErrorObject(answer.head.status, body),
    new Headers(answer.head.headers as [string, string][]),
  )
}

/** A second copy of a request was taken for a replay: it is sent under the number that the server gave (ATH-7.6). */
const MOST_REPLAYED = 3

/**
 * A request to one of the session's own paths (ATH-7.9, ATH-7.10): the same body each time, so that a lost answer is given again.
 *
 * @returns the body of the answer, undefined where it has none
 * @throws HandshakeError what it was refused with, sealed or not; nothing follows from one that was not, but that it failed
 */
export async function callOwn(
  agent: AgentContext,
  connection: Connection,
  request: { readonly method: 'POST' | 'DELETE'; readonly path: string; readonly body?: Json },
  signal?: AbortSignal,
): Promise<Json> {
  const json = request.body === undefined ? undefined : utf8(JSON.stringify(request.body))
  const inner = {
    method: request.method,
    path: request.path,
    headers: json === undefined ? [] : [['content-type', 'application/json'] as const],
    body: json,
  }
  // ATH answers these itself: no application is to be waited for.
  const prompt = { ...agent, headWithin: agent.transport.answerWithin }
  let replays = 0
  return again({ sleep: agent.sleep, signal, patience: 60 }, async () => {
    for (;;) {
      // Not in turn: new keys and tokens are what the others wait for, and there are few of these.
      const answer = await exchange(prompt, connection, inner, signal)
      if (!answer.sealed) throw answer.error
      if (answer.head.ath === true && answer.head.status >= 400) {
        const refusal = await refusalOf(answer, signal)
        if (refusal.error !== 'replayed' || refusal.nextSeq === undefined || ++replays > MOST_REPLAYED)
          throw refusal
        answer.epoch.sequence.jumpTo(refusal.nextSeq)
        continue
      }
      const { status } = answer.head
      if (status < 200 || status > 299) {
        answer.cancel()
        throw new AthError('peer_violation', `HTTP ${status} at a path of the session itself`, {
          rule: 'ATH-7.9',
        })
      }
      return ownBody(answer, signal)
    }
  })
}
