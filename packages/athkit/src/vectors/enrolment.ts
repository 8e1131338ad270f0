import type { JsonObject } from '../crypto/json.ts'
import { without } from '../crypto/shape.ts'
import { signingInput } from '../crypto/signature.ts'
import { type DidDocument, keysOf } from '../did/document.ts'
import { ENROLMENT_LABEL, verifyEnrolment } from '../messages/enrolment.ts'

interface Input {
  readonly message: JsonObject
  readonly user: DidDocument
  readonly origins: readonly string[]
  readonly challenge: string
  readonly now: number
}

/** enrolment.json: the message that links a DID to an account (ATH-4.7). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const { message, user, origins, challenge, now } = input as unknown as Input
  const { user_did } = await verifyEnrolment(message, {
    origins,
    challenge,
    now,
    keysOf: (did) => (did === user.id ? keysOf(user, 'authentication') : []),
  })
  return { user_did, signing_input: signingInput(ENROLMENT_LABEL, without(message, 'signature')) }
}
