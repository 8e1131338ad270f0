import type { Fetch } from '@athkit/cli/loopback'
import { secretIn } from '@athkit/cli/store'
import { generateExportable, type Signer, signerFromPkcs8 } from 'athkit/crypto'
import { didFromKey, keysOf, namedDocument, registerOperation } from 'athkit/did'
import { createRegistryClient } from 'athkit/registry'

export interface Identity {
  readonly did: string
  readonly signer: Signer
}

/**
 * The same under a name, registered now where it is not yet. One key controls the name and speaks for it: enough for an example.
 *
 * @throws Error where the name is somebody else's
 */
export async function registered(
  { signer }: Identity,
  did: string,
  registry: { readonly url: string; readonly fetch: Fetch },
): Promise<Identity> {
  const client = createRegistryClient(registry)
  const keys = [signer.publicKey]
  const known = await client.state(did)
  if (known === undefined) {
    const document = namedDocument(did, { authentication: keys, capabilityInvocation: keys })
    const now = Math.floor(Date.now() / 1000)
    await client.submit(await registerOperation({ document, signers: [signer], now }))
    return { did, signer }
  }
  const own = known.document === null ? [] : await keysOf(known.document, 'authentication')
  if (own.some(({ thumbprint }) => thumbprint === signer.publicKey.thumbprint)) return { did, signer }
  throw new Error(`${did} is registered with another key than this one`)
}

/** The identity whose key is in this file, which is made, readable by its owner alone, where there is none; without a file, a new one. */
export async function identityIn(file?: string): Promise<Identity> {
  const pem = file === undefined ? await newKey() : await secretIn(file, newKey)
  const signer = await signerFromPkcs8(pem)
  return { did: didFromKey(signer.publicKey), signer }
}

const newKey = async (): Promise<string> => (await generateExportable()).pkcs8Pem
