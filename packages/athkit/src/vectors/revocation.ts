import { hash } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import { without } from '../crypto/shape.ts'
import { signingInput } from '../crypto/signature.ts'
import {
  REVOCATION_LABEL,
  REVOCATION_RECEIPT_LABEL,
  verifyRevocation,
  verifyRevocationReceipt,
} from '../messages/revocation.ts'
import { authenticationKeys } from './key-form.ts'

interface Input {
  readonly check: 'message' | 'receipt'
  readonly message: JsonObject
  readonly origins: readonly string[]
  readonly receipt: JsonObject
  readonly server_did: string
  readonly now: number
}

/** revocation.json: the message at the server, or the receipt at its signer (ATH-8). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const { check, message, origins, receipt, server_did, now } = input as unknown as Input
  if (check === 'receipt') {
    const serverKeys = await authenticationKeys(server_did, now)
    const verified = await verifyRevocationReceipt(receipt, { revocation: message, serverKeys, now })
    return {
      request: verified.request,
      signing_input: signingInput(REVOCATION_RECEIPT_LABEL, without(receipt, 'signature')),
    }
  }
  const revocation = await verifyRevocation(message, {
    now,
    origins,
    keysOf: (did) => authenticationKeys(did, now),
  })
  return {
    signer_did: revocation.signer_did,
    kind: revocation.target.kind,
    id: revocation.target.id,
    expires_at: revocation.expires_at ?? null,
    hash: await hash(revocation),
    signing_input: signingInput(REVOCATION_LABEL, without(message, 'signature')),
  }
}
