import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner, type PublicKey } from '../../src/crypto/keys.ts'
import type { Identity } from '../../src/crypto/shape.ts'
import { HandshakeError } from '../../src/errors.ts'

/** Unix seconds at which every test here happens. */
export const NOW = 1_717_200_000
export const AUDIENCE = 'https://shop.example'
export const ORIGINS = [AUDIENCE, 'https://second.example']

export interface Party extends Identity {
  readonly key: PublicKey
}

export async function party(did: string, alg: 'ES256' | 'EdDSA' = 'ES256'): Promise<Party> {
  const signer = await generateSigner(alg)
  return { did, signer, key: signer.publicKey }
}

/** The name of the refusal, or what was accepted. A crash stays one. */
export async function refusal(outcome: unknown): Promise<unknown> {
  try {
    return { accepted: await outcome }
  } catch (error) {
    if (error instanceof HandshakeError) return error.error
    throw error
  }
}

/** The same for what does not wait. */
export const refusalOf = (attempt: () => unknown): Promise<unknown> => refusal((async () => attempt())())

/** Every way of making one member of a message wrong: absent, null, of every other JSON type. */
export function* mutations(message: JsonObject, members: readonly string[]): Generator<[string, JsonObject]> {
  for (const member of members) {
    const { [member]: value, ...rest } = message
    yield [`without ${member}`, rest]
    for (const wrong of [null, 7.5, true, 'text', [], {}]) {
      if (typeof wrong === typeof value && Array.isArray(wrong) === Array.isArray(value) && wrong !== null)
        continue
      yield [`${member} = ${JSON.stringify(wrong)}`, { ...rest, [member]: wrong }]
    }
  }
}
