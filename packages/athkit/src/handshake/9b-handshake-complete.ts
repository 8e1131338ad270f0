/**
 * Step 9b · the service sends its ephemeral share and the access token; both sides now hold the session's keys (ATH-6.5.2–6.5.5).
 *
 * The token's signature covers the transcript — every message so far and the share beside it — and the session id that only
 * somebody with the keys can compute. So it authenticates the key exchange and confirms the server's keys in one.
 */
import * as v from 'valibot'
import { toBase64url } from '../crypto/bytes.ts'
import type { EphemeralShare } from '../crypto/ecdh.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { refuse } from '../errors.ts'
import { deriveSession, type SessionSecrets } from '../session/keys.ts'
import { type AccessTokenClaims, issueAccessToken, verifyIssuedToken } from '../token/access-token.ts'
import type { HandshakeRequest } from './1-handshake-request.ts'
import type { HandshakeResponse } from './2-handshake-response.ts'
import type { IdentityResult } from './4-identity-result.ts'
import type { ScopeResult } from './8-scope-result.ts'
import type { KeyExchange, VerifiedKeyExchange } from './9a-key-exchange.ts'
import { checkTimestamp, type Identity, shaped, time } from './shape.ts'
import { type TranscriptMessages, transcriptHash } from './transcript.ts'

export const HandshakeComplete = v.object({
  type: v.literal('handshake_complete'),
  key_exchange_alg: v.string(),
  key_exchange_params: v.string(),
  cipher_suite: v.string(),
  access_token: v.string(),
  timestamp: time,
})
export type HandshakeComplete = v.InferOutput<typeof HandshakeComplete> & JsonObject

/** The messages of one handshake, each as its sender made it. */
export interface HandshakeMessages extends TranscriptMessages {
  readonly m1: HandshakeRequest
  readonly m2: HandshakeResponse
  readonly m4: IdentityResult
  readonly m8: ScopeResult
  readonly m9a: KeyExchange
}

export interface HandshakeCompleteOptions {
  readonly server: Identity
  readonly audience: string
  readonly userDid: string
  readonly messages: HandshakeMessages
  readonly exchange: VerifiedKeyExchange
  /** A fresh ephemeral share of the algorithm that m9a names. */
  readonly share: EphemeralShare
  /** Unique; it becomes the id of the grant (ATH-8). The session's own id where none is given. */
  readonly jti?: string
  /** Seconds: the token's own bound, beside that of the grant (ATH-6.5.3). */
  readonly tokenTtl: number
  /** Unix seconds. */
  readonly now: number
}

export interface EstablishedSession {
  readonly secrets: SessionSecrets
  readonly claims: AccessTokenClaims
  readonly transcript: Uint8Array
}

/**
 * @returns m9b and the secrets of epoch 0
 * @throws HandshakeError `malformed_message` when the client's share is no valid share
 */
export async function createHandshakeComplete(
  options: HandshakeCompleteOptions,
): Promise<EstablishedSession & { readonly message: HandshakeComplete }> {
  const { server, audience, messages, exchange, share, now } = options
  const message = {
    type: 'handshake_complete',
    key_exchange_alg: share.alg,
    key_exchange_params: share.params,
    cipher_suite: exchange.cipherSuite,
    timestamp: now,
  } as const
  const transcript = await transcriptHash(messages, message)
  const secrets = await agree(share, messages.m9a.key_exchange_params, transcript)
  const sid = toBase64url(secrets.sid)
  const claims: AccessTokenClaims = {
    iss: server.did,
    sub: options.userDid,
    client_id: messages.m1.client_did,
    aud: audience,
    iat: now,
    exp: Math.min(now + options.tokenTtl, grantEnd(messages.m8)),
    jti: options.jti ?? sid,
    scope: messages.m8.scopes_granted.join(' '),
    restrictions: messages.m8.restrictions ?? {},
    cnf: { ath_sid: sid },
    ath_transcript: toBase64url(transcript),
  }
  const access_token = await issueAccessToken(server.signer, claims)
  return { message: { ...message, access_token }, secrets, claims, transcript }
}

export interface CompleteExpectation {
  readonly audience: string
  /** The user of the credential in m5. */
  readonly userDid: string
  readonly messages: HandshakeMessages
  /** The client's share, whose public part went out in m9a. */
  readonly share: EphemeralShare
  /** The key of m2, which the client verified then. */
  readonly serverKey: PublicKey
  /** Seconds: `token_max_ttl` of m4. */
  readonly tokenMaxTtl: number | undefined
  /** Unix seconds. */
  readonly now: number
}

/**
 * The client's last check (ATH-6.5.4): that m9b repeats what m9a named, and the token's signature, every claim, the transcript and
 * the session id that it computed itself. It uses nothing before this returns; the server is proven now.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `token_invalid`
 */
export async function verifyHandshakeComplete(
  message: Json,
  expected: CompleteExpectation,
): Promise<EstablishedSession & { readonly message: HandshakeComplete }> {
  const { messages, share, now } = expected
  const complete: HandshakeComplete = shaped(HandshakeComplete, message, 'm9b')
  checkTimestamp(complete.timestamp, now, 'm9b')
  if (
    complete.key_exchange_alg !== messages.m9a.key_exchange_alg ||
    complete.cipher_suite !== messages.m9a.cipher_suite
  ) {
    throw refuse('malformed_message', 'm9b names other algorithms than m9a', { rule: 'ATH-2.2', step: 'm9b' })
  }
  const transcript = await transcriptHash(messages, complete)
  const secrets = await agree(share, complete.key_exchange_params, transcript)
  const claims = await verifyIssuedToken(complete.access_token, {
    keys: [expected.serverKey],
    now,
    issuer: messages.m2.server_did,
    subject: expected.userDid,
    clientId: messages.m1.client_did,
    audience: expected.audience,
    scopes: messages.m8.scopes_granted,
    restrictions: messages.m8.restrictions ?? undefined,
    sid: secrets.sid,
    transcript,
    grantEnd: grantEnd(messages.m8),
    tokenMaxTtl: expected.tokenMaxTtl,
  })
  return { message: complete, secrets, claims, transcript }
}

/** Unix seconds: lifetimes count from m8 (ATH-6.4.2). */
export const grantEnd = (m8: ScopeResult): number => m8.timestamp + m8.ttl_granted

async function agree(share: EphemeralShare, params: string, transcript: Uint8Array): Promise<SessionSecrets> {
  const z = await share.agree(params)
  const secrets = await deriveSession(z, transcript)
  z.fill(0) // ATH-6.5.5: the shared secret is dropped once the keys are derived
  return secrets
}
