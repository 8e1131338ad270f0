import { type Awaitable, toBase64url } from '../crypto/bytes.ts'
import { canonicalize, canonicalMessage, hash, sha256 } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import { without } from './shape.ts'

/**
 * The exact bytes that every signature of the handshake covers, in one place.
 *
 * | who    | in                          | covers                                                             |
 * |--------|-----------------------------|--------------------------------------------------------------------|
 * | server | m2 `signature`              | the nonce of m1                                                    |
 * | client | m3 `signature`              | the nonce of m2                                                    |
 * | user   | m0                          | the credential (JWS, or label `user_authorization`)                |
 * | client | m5 `user_authorization`     | {@link scopeRequestInput}                                          |
 * | server | m6 `signature`              | m6 without it, label `authorization_confirmation_request`          |
 * | user   | m7 `signature`              | {@link confirmationInput}                                          |
 * | client | m9a `signature`             | {@link keyExchangeInput}                                           |
 * | server | m9b `access_token`          | its claims, among them the transcript of all that came before      |
 */
/** `hs` of ATH-6.2.2: base64url of SHA-256 over m1 to m3. */
export async function handshakeHash(m1: JsonObject, m2: JsonObject, m3: JsonObject): Promise<string> {
  return toBase64url(await hashOf([m1, m2, m3].map(canonicalMessage)))
}

export interface TranscriptMessages {
  readonly m1: JsonObject
  readonly m2: JsonObject
  readonly m3: JsonObject
  readonly m4: JsonObject
  readonly m5: JsonObject
  readonly m8: JsonObject
  readonly m9a: JsonObject
}

/** The transcript of ATH-6.5.2, 32 bytes: every message that agent and service exchanged, m9b without its access token. */
export async function transcriptHash(messages: TranscriptMessages, m9b: JsonObject): Promise<Uint8Array> {
  const { m1, m2, m3, m4, m5, m8, m9a } = messages
  // What another hash covers as well is written once for both.
  return hashOf([
    canonicalMessage(m1),
    canonicalMessage(m2),
    canonicalMessage(m3),
    canonicalize(m4),
    canonicalMessage(m5),
    canonicalize(m8),
    canonicalize(m9a),
    canonicalize(without(m9b, 'access_token')),
  ])
}

/** What the client signs in m5, label `scope_request` (ATH-6.2.2). */
export function scopeRequestInput(m5: JsonObject, audience: string, handshake: string): JsonObject {
  const authorization = m5.user_authorization as JsonObject
  return { audience, handshake, request: { ...m5, user_authorization: without(authorization, 'signature') } }
}

/** What the user signs in m7, label `authorization_confirmation_response` (ATH-6.3.2). */
export async function confirmationInput(m6: JsonObject, m7: JsonObject): Promise<JsonObject> {
  return { request: await hash(m6), response: without(m7, 'signature') }
}

/** What the client signs in m9a, label `key_exchange` (ATH-6.5.1). */
export function keyExchangeInput(
  m9a: JsonObject,
  audience: string,
  handshake: string,
  scopeRequestHash: string,
): JsonObject {
  return { audience, handshake, scope_request: scopeRequestHash, message: without(m9a, 'signature') }
}

const hashOf = (canonical: readonly string[]): Awaitable<Uint8Array> => sha256(canonical.join('\n'))
