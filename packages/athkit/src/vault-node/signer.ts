import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { publicKeyFromJwk, type Signer } from '../crypto/keys.ts'

/** A signer whose key goes from these bytes to the platform's own memory, and through no string. The bytes are wiped. */
export async function signerFromDer(der: Buffer): Promise<Signer> {
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  const publicKey = await publicKeyFromJwk(createPublicKey(privateKey).export({ format: 'jwk' }))
  const digest = publicKey.alg === 'ES256' ? 'sha256' : null
  return {
    publicKey,
    sign: (data) => sign(digest, data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
}
