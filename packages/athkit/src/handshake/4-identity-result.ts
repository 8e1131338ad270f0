/**
 * Step 4 · the service tells the agent whether its identity was accepted, and what it offers (ATH-6.1.7).
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import { type HandshakeError, refuse } from '../errors.ts'
import { checkTimestamp, duration, object, optional, scopes, shaped, time } from './shape.ts'

const Metadata = v.object({
  scopes_supported: scopes,
  token_max_ttl: optional(duration),
  require_user_confirmation: optional(v.boolean()),
})

export const IdentityResult = v.variant('success', [
  v.object({
    type: v.literal('identity_result'),
    success: v.literal(true),
    metadata: Metadata,
    error: optional(v.null()),
    timestamp: time,
  }),
  v.object({ type: v.literal('identity_result'), success: v.literal(false), error: object, timestamp: time }),
])
export type IdentityResult = v.InferOutput<typeof IdentityResult> & JsonObject

export interface ServiceMetadata {
  readonly scopesSupported: readonly string[]
  /** Seconds: the longest grant (ATH-6.5.3). */
  readonly tokenMaxTtl: number | undefined
  readonly requireUserConfirmation: boolean
}

export function createIdentityResult(metadata: ServiceMetadata, now: number): IdentityResult {
  return {
    type: 'identity_result',
    success: true,
    metadata: {
      scopes_supported: [...metadata.scopesSupported],
      ...(metadata.tokenMaxTtl === undefined ? {} : { token_max_ttl: metadata.tokenMaxTtl }),
      require_user_confirmation: metadata.requireUserConfirmation,
    },
    error: null,
    timestamp: now,
  }
}

/** m4 on failure carries the error object of ATH-9; its HTTP status is the error's, and the handshake is over. */
export function createIdentityFailure(error: HandshakeError, now: number): IdentityResult {
  return { type: 'identity_result', success: false, error: { ...error.toWire(now) }, timestamp: now }
}

/**
 * @returns what the service offers; without a word on confirmation, the user will be asked
 * @throws HandshakeError `malformed_message`, `timestamp_skew`; `signature_invalid` when it says that identity was not accepted
 */
export function verifyIdentityResult(
  message: Json,
  now: number,
): { result: IdentityResult; metadata: ServiceMetadata } {
  const result: IdentityResult = shaped(IdentityResult, message, 'm4')
  checkTimestamp(result.timestamp, now, 'm4')
  if (!result.success)
    throw refuse('signature_invalid', 'the service did not accept our identity', { step: 'm4' })
  const { scopes_supported, token_max_ttl, require_user_confirmation } = result.metadata
  return {
    result,
    metadata: {
      scopesSupported: scopes_supported,
      tokenMaxTtl: token_max_ttl ?? undefined,
      requireUserConfirmation: require_user_confirmation ?? true,
    },
  }
}
