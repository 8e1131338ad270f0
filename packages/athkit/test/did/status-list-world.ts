import { toBase64url } from '../../src/crypto/bytes.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signJwt } from '../../src/crypto/jws.ts'
import { generateSigner, type Signer } from '../../src/crypto/keys.ts'
import { didFromKey, documentOfKey } from '../../src/did/index.ts'

export const LIST_URL = 'https://issuer.example/status/1'

export async function issuing() {
  const signer = await generateSigner()
  const did = didFromKey(signer.publicKey)
  return { signer, did, document: documentOfKey(did, signer.publicKey) }
}

/** As the specification has it: index 0 is the left-most bit; gzip; multibase base64url. */
export async function encodedList(set: readonly number[], bytes = 16_384): Promise<string> {
  const bits = new Uint8Array(bytes)
  for (const index of set) bits[index >> 3] = (bits[index >> 3] ?? 0) | (0x80 >> (index & 7))
  const packed = new Blob([bits]).stream().pipeThrough(new CompressionStream('gzip'))
  return `u${toBase64url(new Uint8Array(await new Response(packed).arrayBuffer()))}`
}

export async function statusList(
  issuer: { readonly did: string; readonly signer: Signer },
  set: readonly number[],
  edit: (claims: JsonObject) => JsonObject = (claims) => claims,
): Promise<string> {
  const claims = {
    '@context': ['https://www.w3.org/ns/credentials/v2'],
    id: LIST_URL,
    type: ['VerifiableCredential', 'BitstringStatusListCredential'],
    issuer: issuer.did,
    credentialSubject: {
      id: `${LIST_URL}#list`,
      type: 'BitstringStatusList',
      statusPurpose: 'revocation',
      encodedList: await encodedList(set),
    },
  }
  return signJwt(issuer.signer, 'vc+jwt', edit(claims))
}

export const entry = (index: number | string, edit: JsonObject = {}): JsonObject => ({
  id: `${LIST_URL}#${index}`,
  type: 'BitstringStatusListEntry',
  statusPurpose: 'revocation',
  statusListIndex: String(index),
  statusListCredential: LIST_URL,
  ...edit,
})
