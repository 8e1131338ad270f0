/**
 * Step 6 · the service asks the user, on a channel of its own, never through the agent (ATH-6.3.1).
 *
 * The question is signed, names everything that would be granted, and carries a two-digit code that the agent shows too, so that
 * a person approves the request in front of them and no other.
 */
import * as v from 'valibot'
import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { signLabelled, verifyLabelled } from '../crypto/signature.ts'
import { HandshakeError, refuse } from '../errors.ts'
import {
  duration,
  type Identity,
  object,
  optional,
  scopes,
  shaped,
  signature,
  time,
  without,
} from './shape.ts'

export const CONFIRMATION_REQUEST_LABEL = 'authorization_confirmation_request'

const BINDING_CODE = /^[0-9]{2}$/
const LONGEST_QUESTION_SECONDS = 600

export const ConfirmationRequest = v.object({
  type: v.literal('authorization_confirmation_request'),
  request_id: v.pipe(v.string(), v.minLength(1)),
  client_did: v.string(),
  client_info: object,
  requested_scopes: scopes,
  expires_at: time,
  server_did: v.string(),
  audience: v.string(),
  user_did: v.string(),
  credential_id: v.string(),
  scope_request: v.string(),
  scope_descriptions: optional(object),
  context: optional(v.string()),
  ttl: optional(duration),
  restrictions: optional(object),
  binding_code: v.pipe(v.string(), v.regex(BINDING_CODE)),
  signature,
  timestamp: time,
})
export type ConfirmationRequest = v.InferOutput<typeof ConfirmationRequest> & JsonObject

export interface ConfirmationRequestOptions {
  readonly server: Identity
  readonly requestId: string
  readonly clientDid: string
  /** The service's own record of the agent, never the agent's words. */
  readonly clientInfo: JsonObject
  readonly userDid: string
  readonly audience: string
  readonly credentialId: string
  /** H(m5). */
  readonly scopeRequestHash: string
  /** What could be granted, and nothing else (ATH-6.3.3). */
  readonly scopes: readonly string[]
  readonly scopeDescriptions: ReadonlyMap<string, string>
  readonly context: string | undefined
  /** What would be granted: seconds, and restrictions. */
  readonly ttl: number
  readonly restrictions: JsonObject | undefined
  /** Two digits. */
  readonly bindingCode: string
  /** Unix seconds: the deadline to answer, at most 600 s after `now`. */
  readonly expiresAt: number
  readonly now: number
}

export async function createConfirmationRequest(
  options: ConfirmationRequestOptions,
): Promise<ConfirmationRequest> {
  const message = {
    type: 'authorization_confirmation_request',
    request_id: options.requestId,
    client_did: options.clientDid,
    client_info: options.clientInfo,
    requested_scopes: [...options.scopes],
    expires_at: options.expiresAt,
    server_did: options.server.did,
    audience: options.audience,
    user_did: options.userDid,
    credential_id: options.credentialId,
    scope_request: options.scopeRequestHash,
    scope_descriptions: Object.fromEntries(
      options.scopes.map((scope) => [scope, options.scopeDescriptions.get(scope) ?? scope]),
    ),
    ...(options.context === undefined ? {} : { context: options.context }),
    ttl: options.ttl,
    ...(options.restrictions === undefined ? {} : { restrictions: options.restrictions }),
    binding_code: options.bindingCode,
    timestamp: options.now,
  } as const
  return {
    ...message,
    signature: await signLabelled(options.server.signer, CONFIRMATION_REQUEST_LABEL, message),
  }
}

export interface ConfirmationExpectation {
  /** The server this wallet is linked to: its DID and keys, pinned when it was linked. */
  readonly serverDid: string
  readonly serverKeys: readonly PublicKey[]
  readonly audience: string
  readonly userDid: string
  /** The scopes of the credential that the user signed; undefined where the wallet does not know the credential. */
  readonly credentialScopes?: readonly string[]
  /** Unix seconds. */
  readonly now: number
}

/**
 * The wallet's checks before it shows a question to anyone. It is judged by its own deadline, not by skew (ATH-6.3.3).
 *
 * @throws HandshakeError; the name is for the wallet's log, a wallet tells nobody
 */
export async function verifyConfirmationRequest(
  message: Json,
  expected: ConfirmationExpectation,
): Promise<ConfirmationRequest> {
  const request: ConfirmationRequest = shaped(ConfirmationRequest, message, 'm6')
  await checkSignature(request, expected.serverKeys)
  if (request.server_did !== expected.serverDid)
    throw refused('key_mismatch', 'the question is of another server')
  if (request.audience !== expected.audience)
    throw refused('signature_invalid', 'the question is of another audience')
  if (request.user_did !== expected.userDid)
    throw refused('signature_invalid', 'the question is for another user')
  if (request.expires_at <= expected.now) throw refused('confirmation_timeout', 'the question has expired')
  if (request.expires_at - request.timestamp > LONGEST_QUESTION_SECONDS) {
    throw refused('malformed_message', 'the question stays open for more than 600 s')
  }
  const known = expected.credentialScopes
  if (known !== undefined && !request.requested_scopes.every((scope) => known.includes(scope))) {
    throw refused('scopes_invalid', 'the question asks for more than the credential')
  }
  return request
}

async function checkSignature(request: ConfirmationRequest, keys: readonly PublicKey[]): Promise<void> {
  const covered = without(request, 'signature')
  for (const key of keys) {
    try {
      return await verifyLabelled(key, CONFIRMATION_REQUEST_LABEL, covered, request.signature)
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
    }
  }
  throw refused('signature_invalid', 'the server did not sign the question')
}

/** H(m6): by it the answer, the client and m8 name the question. */
export const hashOfConfirmationRequest = async (request: ConfirmationRequest): Promise<string> =>
  hash(request)

const refused = (error: Parameters<typeof refuse>[0], reason: string) =>
  refuse(error, reason, { rule: 'ATH-6.3.1', step: 'm6' })
