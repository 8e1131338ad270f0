import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
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
  if (file === undefined) return identityOf(signer)
  return putWhole(file, pkcs8Pem) ? identityOf(signer) : identityIn(file)
}

/** Another node may be making the same file: it appears whole or not at all, and the first one stays. */
function putWhole(file: string, text: string): boolean {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(draft)
  }
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
