import type { JsonObject } from '../crypto/json.ts'
import { publicKeyFromMultikey, publicKeyFromPem, toPem } from '../crypto/keys.ts'
import { parseDid } from '../did/did.ts'
import { verifyPresentedKey } from '../handshake/1-handshake-request.ts'
import { keyFormResolver } from './key-form.ts'

/** did-key.json: a DID's form and key, a PEM block, or whether the two belong together (ATH-1.4, ATH-4.1 to ATH-4.3). */
export async function check({ did, pubkey }: JsonObject): Promise<JsonObject> {
  if (typeof did !== 'string') {
    const { alg, jwk, thumbprint } = await publicKeyFromPem(pubkey)
    return { alg, jwk: { ...jwk }, thumbprint }
  }
  const parsed = parseDid(did)
  if (pubkey !== undefined) {
    const key = await publicKeyFromPem(pubkey)
    await verifyPresentedKey(key, await keyFormResolver(0).resolve(did), 'm1')
    return { thumbprint: key.thumbprint }
  }
  if (parsed.form !== 'key') return { form: parsed.form, id: parsed.id }
  const key = await publicKeyFromMultikey(parsed.id)
  return { form: 'key', alg: key.alg, jwk: { ...key.jwk }, thumbprint: key.thumbprint, pem: toPem(key) }
}
