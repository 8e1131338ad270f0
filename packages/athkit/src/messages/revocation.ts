/**
 * Taking a grant or a credential back (ATH-8): the message of whoever ends it, and the server's receipt.
 */
import * as v from 'valibot'
import type { Awaitable } from '../crypto/bytes.ts'
import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey, Signer } from '../crypto/keys.ts'
import { checkTimestamp, type Identity, optional, shaped, signature, time } from '../crypto/shape.ts'
import { signLabelled } from '../crypto/signature.ts'
import { refuse } from '../errors.ts'
import { verifyByOneOf } from './signed.ts'

export const REVOCATION_LABEL = 'revocation'
export const REVOCATION_RECEIPT_LABEL = 'revocation_receipt'

const name = v.pipe(v.string(), v.minLength(1))

export const Revocation = v.object({
  type: v.literal('revocation'),
  target: v.object({ kind: v.picklist(['grant', 'credential']), id: name }),
  audience: v.string(),
  reason: optional(v.string()),
  signer_did: name,
  expires_at: optional(time),
  signature,
  timestamp: time,
})
export type Revocation = v.InferOutput<typeof Revocation> & JsonObject

export interface RevocationTarget {
  readonly kind: 'grant' | 'credential'
  /** Of a credential its `credential_id`; of a grant the `jti` of its first token, or for the user m6's `request_id`. */
  readonly id: string
}

export interface RevocationOptions {
  readonly signer: Identity
  readonly target: RevocationTarget
  /** An origin of the server that is told. */
  readonly audience: string
  readonly reason?: string
  /** Unix seconds, required for a credential: its end. */
  readonly expiresAt?: number
  /** Unix seconds. */
  readonly now: number
}

/** @throws TypeError when a credential is revoked without its end */
export async function createRevocation(options: RevocationOptions): Promise<Revocation> {
  const { signer, target, audience, reason, expiresAt, now } = options
  if (target.kind === 'credential' && expiresAt === undefined) {
    throw new TypeError('the revocation of a credential takes expiresAt')
  }
  const message = {
    type: 'revocation',
    target: { kind: target.kind, id: target.id },
    audience,
    ...(reason === undefined ? {} : { reason }),
    signer_did: signer.did,
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    timestamp: now,
  } as const
  return { ...message, signature: await signLabelled(signer.signer, REVOCATION_LABEL, message) }
}

export interface RevocationContext {
  /** Unix seconds. */
  readonly now: number
  /** Of this server (ATH-3.1). */
  readonly origins: readonly string[]
  /**
   * The `authentication` keys of a signer that is enrolled here, the server itself, or the client of a live grant; undefined for
   * everybody else, who is not resolved (ATH-8).
   */
  keysOf(signerDid: string): Awaitable<readonly PublicKey[] | undefined>
}

/**
 * The server's checks: shape, skew, audience, whether the signer is anybody to it, their signature. Whether the target is theirs,
 * or exists, is for the caller to know and never for the answer to tell.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `signature_invalid`
 */
export async function verifyRevocation(message: Json, context: RevocationContext): Promise<Revocation> {
  const revocation: Revocation = shaped(Revocation, message, 'revocation')
  // It is remembered until the credential's own end, which only its signer may know here.
  if (revocation.target.kind === 'credential' && (revocation.expires_at ?? undefined) === undefined) {
    throw refuse('malformed_message', 'revocation of a credential without expires_at', { rule: 'ATH-8' })
  }
  checkTimestamp(revocation.timestamp, context.now, 'revocation')
  if (!context.origins.includes(revocation.audience)) throw invalid('it is for another audience')
  const keys = await context.keysOf(revocation.signer_did)
  if (keys === undefined) throw invalid('its signer is nobody here')
  await verifyByOneOf(keys, REVOCATION_LABEL, revocation)
  return revocation
}

export const RevocationReceipt = v.object({
  type: v.literal('revocation_receipt'),
  request: v.string(),
  signature,
  timestamp: time,
})
export type RevocationReceipt = v.InferOutput<typeof RevocationReceipt> & JsonObject

/** The server's answer to every revocation that was well signed, whatever it found (ATH-8). */
export async function createRevocationReceipt(options: {
  readonly server: Signer
  readonly revocation: Revocation
  readonly now: number
}): Promise<RevocationReceipt> {
  const { server, revocation, now } = options
  const receipt = { type: 'revocation_receipt', request: await hash(revocation), timestamp: now } as const
  return { ...receipt, signature: await signLabelled(server, REVOCATION_RECEIPT_LABEL, receipt) }
}

/**
 * What the signer of a revocation checks of its receipt.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `signature_invalid`
 */
export async function verifyRevocationReceipt(
  message: Json,
  expected: {
    readonly revocation: JsonObject
    /** `authentication` keys of the server's DID. */
    readonly serverKeys: readonly PublicKey[]
    readonly now: number
  },
): Promise<RevocationReceipt> {
  const receipt: RevocationReceipt = shaped(RevocationReceipt, message, 'revocation_receipt')
  checkTimestamp(receipt.timestamp, expected.now, 'revocation_receipt')
  if (receipt.request !== (await hash(expected.revocation))) throw invalid('the receipt is for another')
  await verifyByOneOf(expected.serverKeys, REVOCATION_RECEIPT_LABEL, receipt)
  return receipt
}

const invalid = (reason: string) => refuse('signature_invalid', `revocation: ${reason}`, { rule: 'ATH-8' })
