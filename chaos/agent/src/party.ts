import { generateSigner, type Signer } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'

export interface Party {
  readonly did: string
  readonly signer: Signer
}

export async function party(): Promise<Party> {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}
