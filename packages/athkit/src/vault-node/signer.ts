import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import type { SignatureAlgorithm } from '../crypto/algorithms.ts'
import { publicKeyFromJwk, type Signer } from '../crypto/keys.ts'

const DER = {
  publicKeyEncoding: { format: 'der', type: 'spki' },
  privateKeyEncoding: { format: 'der', type: 'pkcs8' },
} as const

/** A new private key in PKCS#8 DER. The caller wipes it. */
export function generateKey(alg: SignatureAlgorithm): Buffer {
  const pair =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'prime256v1', ...DER })
      : generateKeyPairSync('ed25519', DER)
  // Node's types promise keys here, whatever encoding is asked for.
  return pair.privateKey as unknown as Buffer
}

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
