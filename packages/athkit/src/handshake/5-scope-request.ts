/**
 * Step 5 · the agent asks for scopes and shows the user's credential (ATH-6.2.2).
 *
 * Its signature covers who is asked (`audience`) and everything said so far (`hs`), so that no other server can make use of it.
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { signLabelled, verifyLabelled } from '../crypto/signature.ts'
import { refuse } from '../errors.ts'
import {
  areScopes,
  checkTimestamp,
  type Identity,
  object,
  optional,
  shaped,
  signature,
  strings,
  time,
} from './shape.ts'
import { scopeRequestInput } from './transcript.ts'

export const SCOPE_REQUEST_LABEL = 'scope_request'

export const ScopeRequest = v.object({
  type: v.literal('scope_request'),
  scopes: strings,
  ttl: optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
  user_authorization: v.object({ credential: v.union([v.string(), object]), signature }),
  context: optional(v.string()),
  timestamp: time,
})
export type ScopeRequest = v.InferOutput<typeof ScopeRequest> & JsonObject

export interface ScopeRequestOptions {
  readonly client: Identity
  readonly audience: string
  /** `hs`: the hash over m1 to m3. */
  readonly handshakeHash: string
  readonly scopes: readonly string[]
  /** Seconds the agent would like the grant to last; as long as the service allows without it. */
  readonly ttlSeconds?: number
  /** m0: the JWT, or the JSON form. */
  readonly credential: string | JsonObject
  /** Why, in the agent's words; the user sees them as such. */
  readonly context?: string
  /** Unix seconds. */
  readonly now: number
}

export async function createScopeRequest(options: ScopeRequestOptions): Promise<ScopeRequest> {
  const { client, audience, handshakeHash, ttlSeconds, credential, context, now } = options
  const unsigned = {
    type: 'scope_request',
    scopes: [...options.scopes],
    ...(ttlSeconds === undefined ? {} : { ttl: ttlSeconds }),
    user_authorization: { credential },
    ...(context === undefined ? {} : { context }),
    timestamp: now,
  } as const
  const input = scopeRequestInput(unsigned, audience, handshakeHash)
  return {
    ...unsigned,
    user_authorization: {
      credential,
      signature: await signLabelled(client.signer, SCOPE_REQUEST_LABEL, input),
    },
  }
}

/**
 * The shape, the clock and the form of the scopes, before any cryptography.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `scopes_invalid`
 */
export function receiveScopeRequest(message: Json, now: number): ScopeRequest {
  const request: ScopeRequest = shaped(ScopeRequest, message, 'm5')
  checkTimestamp(request.timestamp, now, 'm5')
  if (request.scopes.length === 0 || !areScopes(request.scopes)) {
    throw refuse('scopes_invalid', 'the scopes asked for are none, or not of their form', {
      rule: 'ATH-1.7',
      step: 'm5',
    })
  }
  return request
}

/**
 * The client's signature over m5, checked after the credential (ATH-6.2.3).
 *
 * @throws HandshakeError `signature_invalid`
 */
export async function verifyScopeRequest(
  request: ScopeRequest,
  expected: { readonly clientKey: PublicKey; readonly audience: string; readonly handshakeHash: string },
): Promise<void> {
  const input = scopeRequestInput(request, expected.audience, expected.handshakeHash)
  await verifyLabelled(
    expected.clientKey,
    SCOPE_REQUEST_LABEL,
    input,
    request.user_authorization.signature as Json,
  )
}
