/**
 * Step 7 · the user answers: approves, narrows or denies, signed (ATH-6.3.2, ATH-6.3.3).
 */
import * as v from 'valibot'
import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { signLabelled, verifyLabelled } from '../crypto/signature.ts'
import { HandshakeError, refuse } from '../errors.ts'
import type { ConfirmationRequest } from './6-authorization-confirmation-request.ts'
import {
  areScopes,
  checkTimestamp,
  type Identity,
  isObject,
  optional,
  shaped,
  signature,
  strings,
  time,
} from './shape.ts'
import { confirmationInput } from './transcript.ts'

export const CONFIRMATION_RESPONSE_LABEL = 'authorization_confirmation_response'

export const ConfirmationResponse = v.object({
  type: v.literal('authorization_confirmation_response'),
  request_id: v.string(),
  approved: v.boolean(),
  approved_scopes: optional(strings),
  expires_at: optional(time),
  signature,
  timestamp: time,
})
export type ConfirmationResponse = v.InferOutput<typeof ConfirmationResponse> & JsonObject

export interface ConfirmationResponseOptions {
  readonly user: Identity
  /** m6, verified. */
  readonly request: ConfirmationRequest
  readonly approved: boolean
  /** A subset of what was asked; all of it without. */
  readonly approvedScopes?: readonly string[]
  /** Unix seconds: the end of the grant, where the user wants it to end sooner. */
  readonly expiresAt?: number
  readonly now: number
}

export async function createConfirmationResponse(
  options: ConfirmationResponseOptions,
): Promise<ConfirmationResponse> {
  const { user, request, approved, approvedScopes, expiresAt, now } = options
  const message = {
    type: 'authorization_confirmation_response',
    request_id: request.request_id,
    approved,
    ...(approvedScopes === undefined ? {} : { approved_scopes: [...approvedScopes] }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    timestamp: now,
  } as const
  const input = await confirmationInput(request, message)
  return { ...message, signature: await signLabelled(user.signer, CONFIRMATION_RESPONSE_LABEL, input) }
}

export interface Confirmation {
  /** What the user approved of what was asked; empty when they denied. */
  readonly approved: readonly string[]
  /** Unix seconds: the end the user set for the grant. */
  readonly expiresAt: number | undefined
  /** H(m7), for `confirmation` of m8. */
  readonly hash: string
}

/**
 * The service's checks of an answer to its own question. The signature comes before anything in it is believed (ATH-6.3.2):
 * 1. the user's signature · 2. shape and skew · 3. the question it names · 4. the deadline · 5. scopes · 6. the end it sets
 *
 * A refusal here leaves the question open.
 *
 * @throws HandshakeError `malformed_message`, `signature_invalid`, `timestamp_skew`, `confirmation_unknown`,
 *   `confirmation_timeout`, `scopes_invalid`
 */
export async function verifyConfirmationResponse(
  message: Json,
  expected: {
    readonly request: ConfirmationRequest
    readonly userKeys: readonly PublicKey[]
    readonly now: number
  },
): Promise<Confirmation> {
  await verifyConfirmationSignature(message, expected)
  return readConfirmationResponse(message, expected)
}

/**
 * The first of these checks by itself, for a service that has the answer already and compares this one with it.
 *
 * @throws HandshakeError `malformed_message`, `signature_invalid`
 */
export async function verifyConfirmationSignature(
  message: Json,
  { request, userKeys }: { readonly request: ConfirmationRequest; readonly userKeys: readonly PublicKey[] },
): Promise<void> {
  if (!isObject(message)) throw refused('malformed_message', 'the answer is not an object')
  await checkSignature(request, message, userKeys)
}

/**
 * The others: only for a message whose signature was verified.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `confirmation_unknown`, `confirmation_timeout`, `scopes_invalid`
 */
export async function readConfirmationResponse(
  message: Json,
  { request, now }: { readonly request: ConfirmationRequest; readonly now: number },
): Promise<Confirmation> {
  const response: ConfirmationResponse = shaped(ConfirmationResponse, message, 'm7')
  checkTimestamp(response.timestamp, now, 'm7')
  if (response.request_id !== request.request_id)
    throw refused('confirmation_unknown', 'the answer names another question')
  if (request.expires_at <= now) throw refused('confirmation_timeout', 'the question has expired')

  const approved = response.approved ? (response.approved_scopes ?? request.requested_scopes) : []
  if (!areScopes(approved) || !approved.every((scope) => request.requested_scopes.includes(scope))) {
    throw refused('scopes_invalid', 'the answer approves more than was asked')
  }
  const expiresAt = approved.length === 0 ? undefined : (response.expires_at ?? undefined)
  if (expiresAt !== undefined && expiresAt <= now)
    throw refused('malformed_message', 'the end of the grant has passed')
  return { approved, expiresAt, hash: await hash(response) }
}

async function checkSignature(request: ConfirmationRequest, message: JsonObject, keys: readonly PublicKey[]) {
  if (message.signature === undefined || message.signature === null) {
    throw refused('malformed_message', 'the answer is not signed')
  }
  const input = await confirmationInput(request, message)
  for (const key of keys) {
    try {
      return await verifyLabelled(key, CONFIRMATION_RESPONSE_LABEL, input, message.signature)
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
    }
  }
  throw refused('signature_invalid', 'the user did not sign the answer')
}

const refused = (error: Parameters<typeof refuse>[0], reason: string) =>
  refuse(error, reason, { rule: 'ATH-6.3.3', step: 'm7' })
