import { readFileSync, writeFileSync } from 'node:fs'
import { generateExportable, type Signer, signerFromPkcs8 } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'

export interface Identity {
  readonly did: string
  readonly signer: Signer
}

/** The identity whose key is in this file, which is made, readable by its owner alone, where there is none; without a file, a new one. */
export async function identityIn(file?: string): Promise<Identity> {
  const known = file === undefined ? undefined : read(file)
  if (known !== undefined) return identityOf(await signerFromPkcs8(known))
  const { signer, pkcs8Pem } = await generateExportable()
  if (file !== undefined) writeFileSync(file, pkcs8Pem, { mode: 0o600, flag: 'wx' })
  return identityOf(signer)
}

const identityOf = (signer: Signer): Identity => ({ did: didFromKey(signer.publicKey), signer })

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
