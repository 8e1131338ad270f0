import type { JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { without } from '../crypto/shape.ts'
import { verifyLabelled } from '../crypto/signature.ts'
import { HandshakeError, refuse } from '../errors.ts'

/**
 * One of the signer's keys signed the message, without its `signature`, under this label (ATH-5.2).
 *
 * @throws HandshakeError `malformed_message` when it is unsigned, `signature_invalid`
 */
export async function verifyByOneOf(
  keys: readonly PublicKey[],
  label: string,
  message: JsonObject,
): Promise<void> {
  const { signature } = message
  if (signature === undefined || signature === null) throw refuse('malformed_message', `${label}: not signed`)
  const covered = without(message, 'signature')
  for (const key of keys) {
    try {
      return await verifyLabelled(key, label, covered, signature)
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
    }
  }
  throw refuse('signature_invalid', `${label}: signed by no key of the signer`, { rule: 'ATH-5.2' })
}
