import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner, type Signer } from '../../src/crypto/keys.ts'
import { namedDocument, registerOperation } from '../../src/did/index.ts'

export const NOW = 1_717_200_000
export const NAME = 'did:ath:public_shop_001'

/** A named DID before it is registered: one key that speaks, one that controls. */
export async function named(did = NAME, services: readonly JsonObject[] = []) {
  const [speaking, controlling] = await Promise.all([generateSigner(), generateSigner('EdDSA')])
  return { did, speaking, controlling, ...(await registration(did, speaking, controlling, services)) }
}

export async function registration(
  did: string,
  speaking: Signer,
  controlling: Signer,
  services: readonly JsonObject[] = [],
) {
  const keys = { authentication: [speaking.publicKey], capabilityInvocation: [controlling.publicKey] }
  const document = namedDocument(did, keys, services)
  const create = await registerOperation({ document, signers: [controlling, speaking], now: NOW })
  return { document, create }
}
