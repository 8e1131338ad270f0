/**
 * Messages on their way to the handshake's URL, and their answers (ATH-3.3 – ATH-3.6).
 */
import {
  type Answer,
  type Attempts,
  again,
  call,
  jsonBytes,
  refusedBy,
  type Transport,
} from '../client/index.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'
import { AthError } from '../errors.ts'
import { checkErrorObject } from '../messages/index.ts'

/** A handshake that is not advanced for 60 s expires: what takes longer begins anew (ATH-3.7). */
export const FLIGHT_PATIENCE = 45

export interface Line {
  readonly transport: Transport
  /** The handshake's own URL. */
  readonly url: string
  readonly attempts: Attempts
}

/**
 * Sends messages in one flight; the same bytes again after a lost answer, to which the answer is the same (ATH-3.5).
 *
 * @returns the answers, one for each message up to the first that waits; a refusal of any of them is thrown
 */
export function sendFlight(line: Line, messages: readonly JsonObject[]): Promise<readonly JsonObject[]> {
  const body = jsonBytes(messages)
  return again({ ...line.attempts, patience: FLIGHT_PATIENCE }, async () => {
    const { transport, url, attempts } = line
    const { signal } = attempts
    return answersOf(await call(transport, { url, method: 'POST', body, signal }, isFlight), messages.length)
  })
}

/** Asks what became of the flight. @param wait seconds that the server may take for it (`Prefer: wait`) */
export function fetchOutcome(line: Line, wait: number): Promise<Answer & { answers: readonly JsonObject[] }> {
  return again({ ...line.attempts, patience: FLIGHT_PATIENCE }, async () => {
    const { transport, url, attempts } = line
    const headers = { prefer: `wait=${wait}` }
    const answer = await call(
      transport,
      { url, method: 'GET', headers, wait, signal: attempts.signal },
      (status, body) => isFlight(status, body) || isMessage(body),
    )
    return { ...answer, answers: answersOf(answer, 2) }
  })
}

/** m4 and m8 come with 401 and 403 as well, in their place. */
const isFlight = (_: number, body: Json): boolean => Array.isArray(body)
const isMessage = (body: Json): boolean => isObject(body) && body.type !== 'error'

function answersOf({ status, headers, body }: Answer, most: number): readonly JsonObject[] {
  const answers: readonly Json[] = Array.isArray(body) ? body : [body]
  if (answers.length === 0 || answers.length > most || !answers.every(isObject)) {
    throw new AthError('peer_violation', 'not as many answers as messages', { rule: 'ATH-3.6' })
  }
  const last = answers.at(-1) as JsonObject
  if (last.type === 'error') throw refusedBy(checkErrorObject(status, last), headers)
  if (last.type === 'identity_result' && last.success === false) {
    throw refusedBy(checkErrorObject(status, last.error), headers, 'm4')
  }
  return answers as readonly JsonObject[]
}
