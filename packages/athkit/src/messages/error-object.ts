/**
 * The error object as its receiver sees it (ATH-9). Its sender makes it with `HandshakeError.toWire`.
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import { optional, time } from '../crypto/shape.ts'
import { AthError, ERRORS, type ErrorName, isErrorName } from '../errors.ts'

export const ErrorObject = v.object({
  type: v.literal('error'),
  code: v.pipe(v.number(), v.integer()),
  error: v.string(),
  message: v.string(),
  retryable: v.boolean(),
  timestamp: time,
  next_seq: optional(time),
})
export type ReceivedError = v.InferOutput<typeof ErrorObject> & JsonObject & { readonly error: ErrorName }

/** A wrong method or media type, with `malformed_message` (ATH-9). */
const WRONG_REQUEST: readonly number[] = [405, 415]

/**
 * An answer that says it is an error, checked against the HTTP status it came with and the table. Nobody sets a clock from its
 * `timestamp` (ATH-6).
 *
 * @throws AthError `peer_violation` when it does not conform
 */
export function checkErrorObject(status: number, body: Json): ReceivedError {
  if (!v.is(ErrorObject, body)) throw nonconforming('not the shape of an error')
  const { code, error, retryable } = body
  if (code !== status) throw nonconforming('its code is not the HTTP status')
  if (!isErrorName(error)) throw nonconforming('its name is not in the table')
  const entry = ERRORS.get(error)
  const wrongRequest = error === 'malformed_message' && WRONG_REQUEST.includes(code)
  if (code !== entry?.code && !wrongRequest) throw nonconforming('its name has another code')
  if (retryable !== entry?.retryable) throw nonconforming('retryable is not what its code says')
  return body as ReceivedError
}

const nonconforming = (reason: string) =>
  new AthError('peer_violation', `error object: ${reason}`, { rule: 'ATH-9' })
