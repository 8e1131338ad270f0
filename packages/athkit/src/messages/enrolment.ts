/**
 * Linking a DID to an account (ATH-4.7): the user signs a challenge that was shown inside the account's own page.
 */
import * as v from 'valibot'
import type { Awaitable } from '../crypto/bytes.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { checkTimestamp, type Identity, shaped, signature, time } from '../crypto/shape.ts'
import { signLabelled } from '../crypto/signature.ts'
import { refuse } from '../errors.ts'
import { verifyByOneOf } from './signed.ts'

export const ENROLMENT_LABEL = 'enrolment'

export const Enrolment = v.object({
  type: v.literal('enrolment'),
  user_did: v.string(),
  audience: v.string(),
  challenge: v.string(),
  signature,
  timestamp: time,
})
export type Enrolment = v.InferOutput<typeof Enrolment> & JsonObject

/** Where enrolments are taken, beside the endpoints of ATH-3.2, which have no place for them. */
export const ENROLMENT_PATH = '/ath/enrolment'

/** The same whatever the DID was here before. */
export interface EnrolmentReceipt extends JsonObject {
  readonly type: 'enrolment_receipt'
  readonly user_did: string
  /** The server that the user is linked to from now on: what their wallet pins (ATH-6.3.1). */
  readonly server_did: string
  readonly timestamp: number
}

export const createEnrolmentReceipt = (
  userDid: string,
  serverDid: string,
  now: number,
): EnrolmentReceipt => ({
  type: 'enrolment_receipt',
  user_did: userDid,
  server_did: serverDid,
  timestamp: now,
})

export interface EnrolmentOptions {
  readonly user: Identity
  /** The origin of the page that gave the challenge. */
  readonly audience: string
  readonly challenge: string
  /** Unix seconds. */
  readonly now: number
}

export async function createEnrolment(options: EnrolmentOptions): Promise<Enrolment> {
  const { user, audience, challenge, now } = options
  const message = { type: 'enrolment', user_did: user.did, audience, challenge, timestamp: now } as const
  return { ...message, signature: await signLabelled(user.signer, ENROLMENT_LABEL, message) }
}

export interface EnrolmentContext {
  /** Of this server (ATH-3.1). */
  readonly origins: readonly string[]
  /** The one that this account's page gave; the caller takes it away, so that it is good once. */
  readonly challenge: string
  /** Unix seconds. */
  readonly now: number
  /** The `authentication` keys of the DID; it is resolved only for whoever brought the challenge. */
  keysOf(userDid: string): Awaitable<readonly PublicKey[]>
}

/**
 * The server's checks: shape, skew, audience and challenge, signature.
 *
 * @returns the enrolment, whose `user_did` may now be linked to the account
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `signature_invalid`
 */
export async function verifyEnrolment(message: Json, context: EnrolmentContext): Promise<Enrolment> {
  const enrolment: Enrolment = shaped(Enrolment, message, 'enrolment')
  checkTimestamp(enrolment.timestamp, context.now, 'enrolment')
  if (!context.origins.includes(enrolment.audience)) throw invalid('for another audience')
  if (enrolment.challenge !== context.challenge) throw invalid('of another challenge')
  await verifyByOneOf(await context.keysOf(enrolment.user_did), ENROLMENT_LABEL, enrolment)
  return enrolment
}

const invalid = (reason: string) => refuse('signature_invalid', `enrolment: ${reason}`, { rule: 'ATH-4.7' })
