/**
 * Step 3 · the agent proves its DID: it signs the service's nonce (ATH-6.1.3), and may show credentials of third parties.
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { signText, verifyText } from '../crypto/signature.ts'
import type { HandshakeResponse } from './2-handshake-response.ts'
import { checkNonceForm } from './nonce.ts'
import { checkTimestamp, type Identity, optional, shaped, signature, time } from './shape.ts'

export const IdentityProof = v.object({
  type: v.literal('identity_proof'),
  signature,
  credentials: optional(v.array(v.unknown())),
  timestamp: time,
})
export type IdentityProof = v.InferOutput<typeof IdentityProof> & JsonObject

export interface IdentityProofOptions {
  readonly client: Identity
  /** m2, verified: nothing is signed for a server before that (ATH-6.1.5). */
  readonly response: HandshakeResponse
  /** `vc+jwt` credentials about the client (ATH-6.1.6). */
  readonly credentials?: readonly string[]
  /** Unix seconds. */
  readonly now: number
}

export async function createIdentityProof(options: IdentityProofOptions): Promise<IdentityProof> {
  const { client, response, credentials, now } = options
  checkNonceForm(response.nonce, 'm2')
  return {
    type: 'identity_proof',
    signature: await signText(client.signer, response.nonce),
    ...(credentials === undefined ? {} : { credentials: [...credentials] }),
    timestamp: now,
  }
}

/** The shape and the clock, before any cryptography. @throws HandshakeError `malformed_message`, `timestamp_skew` */
export function receiveIdentityProof(message: Json, now: number): IdentityProof {
  const proof: IdentityProof = shaped(IdentityProof, message, 'm3')
  checkTimestamp(proof.timestamp, now, 'm3')
  return proof
}

/**
 * The client holds the key it presented: it signed the nonce of m2.
 *
 * @throws HandshakeError `signature_invalid`
 */
export async function verifyIdentityProof(
  proof: IdentityProof,
  { clientKey, response }: { readonly clientKey: PublicKey; readonly response: HandshakeResponse },
): Promise<void> {
  await verifyText(clientKey, response.nonce, proof.signature)
}
