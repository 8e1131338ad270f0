/**
 * What the client is told while the user is being asked: the body of a 202 (ATH-3.4).
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import { checkTimestamp, shaped, time } from '../crypto/shape.ts'

export const AuthorizationPending = v.object({
  type: v.literal('authorization_pending'),
  request_id: v.string(),
  confirmation_request: v.string(),
  binding_code: v.pipe(v.string(), v.regex(/^[0-9]{2}$/)),
  expires_at: time,
  timestamp: time,
})
export type AuthorizationPending = v.InferOutput<typeof AuthorizationPending> & JsonObject

export interface AuthorizationPendingOptions {
  /** `request_id` of m6. */
  readonly requestId: string
  /** H(m6): m8 has to name the same question. */
  readonly confirmationRequestHash: string
  /** The two digits of m6, which the agent shows and the person picks in their wallet. */
  readonly bindingCode: string
  /** Unix seconds: the deadline to answer. */
  readonly expiresAt: number
  readonly now: number
}

export function createAuthorizationPending(options: AuthorizationPendingOptions): AuthorizationPending {
  return {
    type: 'authorization_pending',
    request_id: options.requestId,
    confirmation_request: options.confirmationRequestHash,
    binding_code: options.bindingCode,
    expires_at: options.expiresAt,
    timestamp: options.now,
  }
}

/** @throws HandshakeError `malformed_message`, `timestamp_skew` */
export function verifyAuthorizationPending(message: Json, now: number): AuthorizationPending {
  const pending: AuthorizationPending = shaped(AuthorizationPending, message, 'authorization_pending')
  checkTimestamp(pending.timestamp, now, 'authorization_pending')
  return pending
}
