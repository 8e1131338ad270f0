/**
 * What every message has in common: its kinds of members, its shape, its clock (ATH-1, ATH-6).
 */
import * as v from 'valibot'
import { refuse } from '../errors.ts'
import type { Json, JsonObject } from './json.ts'
import type { Signer } from './keys.ts'

/** Whoever takes part: a DID and the means to sign for it. The private key never has to be in this process. */
export interface Identity {
  readonly did: string
  readonly signer: Signer
}

/** Unix seconds (ATH-1.2). */
export const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** A duration in seconds (ATH-1.2). */
export const duration = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** A signature is judged where it is verified: here it only has to be there (ATH-1.3). */
export const signature = v.custom<Json>((value) => value !== undefined && value !== null, 'missing')

/** Any JSON object, kept as it was received. */
export const object = v.custom<JsonObject>(isObject, 'not an object')

export const strings = v.pipe(v.array(v.string()), v.readonly())

/** An absent optional member and `null` are the same (ATH-1.6). */
export const optional = v.nullish

const SCOPE = /^[a-z][a-z0-9._-]*:[a-z][a-z0-9._-]*$/
const MOST_SCOPES = 64

/** Whether it is a list of scopes: each of the form `resource:action`, at most 64, no duplicates (ATH-1.7). */
export function areScopes(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= MOST_SCOPES &&
    value.every((scope) => typeof scope === 'string' && SCOPE.test(scope)) &&
    new Set(value).size === value.length
  )
}

export const scopes = v.custom<readonly string[]>(areScopes, 'not a list of scopes')

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The message itself, typed, once its shape holds. It is returned as it was received, unknown members included, because
 * signatures and hashes cover exactly that (ATH-1.5).
 *
 * @throws HandshakeError `malformed_message`, the private reason naming the member, never its value
 */
export function shaped<Schema extends v.GenericSchema>(
  schema: Schema,
  message: Json | undefined,
  step: string,
): v.InferOutput<Schema> & JsonObject {
  // valibot takes an array for an object, and would let one pass where every member is optional.
  if (!isObject(message))
    throw refuse('malformed_message', `${step} is not an object`, { rule: 'ATH-1.1', step })
  const result = v.safeParse(schema, message, { abortEarly: true })
  if (result.success) return message as v.InferOutput<Schema> & JsonObject
  const [issue] = result.issues
  const where = issue.path?.map((item) => String(item.key)).join('.') ?? 'message'
  throw refuse('malformed_message', `${step}: ${where} is not as it must be`, { rule: 'ATH-1.1', step })
}

const SKEW_SECONDS = 300

/**
 * A message's `timestamp` lies within 300 s of the receiver's clock, both ways (ATH-6).
 *
 * @throws HandshakeError `timestamp_skew`
 */
export function checkTimestamp(timestamp: number, now: number, step: string): void {
  if (Math.abs(timestamp - now) <= SKEW_SECONDS) return
  throw refuse('timestamp_skew', `${step} is ${timestamp - now} s off`, { rule: 'ATH-6', step })
}

/** The object without one member: what a signature inside it covers, or the nonce that commits to it. */
export function without(message: JsonObject, member: string): JsonObject {
  const { [member]: _, ...rest } = message
  return rest
}
