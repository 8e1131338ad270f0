import type { JsonObject } from '../crypto/json.ts'
import { type PublicJwk, publicKeyFromJwk, signerFromJwk } from '../crypto/keys.ts'
import { signingInput, signText, verifyText } from '../crypto/signature.ts'

/** labelled-signature.json: sign, or verify, a labelled object or a nonce (ATH-5.1, ATH-5.2). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const text =
    typeof input.text === 'string'
      ? input.text
      : signingInput(input.label as string, input.object as JsonObject)
  if (input.private_jwk !== undefined) {
    const signer = await signerFromJwk(input.private_jwk as unknown as PublicJwk & { readonly d: string })
    return { signing_input: text, signature: await signText(signer, text) }
  }
  await verifyText(await publicKeyFromJwk(input.public_jwk), text, input.signature)
  return { signing_input: text, verifies: true }
}
