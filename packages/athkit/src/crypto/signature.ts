import { refuse } from '../errors.ts'
import { SIGNATURE_BYTES } from './algorithms.ts'
import { type Awaitable, decodeBase64url, toBase64url, utf8 } from './bytes.ts'
import { canonicalize } from './jcs.ts'
import type { Json, JsonObject } from './json.ts'
import type { PublicKey, Signer } from './keys.ts'
import { port } from './port.ts'

/**
 * Labelled signatures (ATH-5.2). The label keeps a signature for one purpose from being one for another; the space and the line
 * end in the text keep all of them apart from nonces and from JWS inputs (ATH-5.4).
 */
export function signingInput(label: string, object: JsonObject): string {
  return `ATH/0.1 ${label}\n${canonicalize(object)}`
}

export function signLabelled(signer: Signer, label: string, object: JsonObject): Promise<string> {
  return signText(signer, signingInput(label, object))
}

/** @throws HandshakeError `malformed_message` when the signature is missing, `signature_invalid` when it is not this key's */
export function verifyLabelled(
  key: PublicKey,
  label: string,
  object: JsonObject,
  signature: Json | undefined,
): Promise<void> {
  return verifyText(key, signingInput(label, object), signature, 'ATH-5.2')
}

/** A signature over a text as it stands: nonces (ATH-5.1). base64url of 64 bytes. */
export async function signText(signer: Signer, text: string): Promise<string> {
  return toBase64url(await signer.sign(utf8(text)))
}

/**
 * @param rule that is broken when it is not this key's
 * @throws HandshakeError `malformed_message` when the signature is missing, `signature_invalid` when it is not this key's
 */
export async function verifyText(
  key: PublicKey,
  text: string,
  signature: unknown,
  rule = 'ATH-6.1.3',
): Promise<void> {
  if (signature === undefined || signature === null) {
    throw refuse('malformed_message', 'the signature is missing', { rule: 'ATH-1.3' })
  }
  const bytes = typeof signature === 'string' ? decodeBase64url(signature) : undefined
  if (bytes?.length !== SIGNATURE_BYTES || !(await verifyBytes(key, text, bytes))) {
    throw refuse('signature_invalid', 'the signature is not of this key over this text', { rule })
  }
}

/** @param data of a text, its UTF-8 @param signature 64 bytes; false for any other length */
export const verifyBytes = (
  key: PublicKey,
  data: Uint8Array | string,
  signature: Uint8Array,
): Awaitable<boolean> =>
  signature.length === SIGNATURE_BYTES && port.verify(key.alg, key.handle, data, signature)
