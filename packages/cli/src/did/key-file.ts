import { existsSync } from 'node:fs'
import { generateExportable, type Signer, signerFromPkcs8 } from 'athkit/crypto'
import { readText, writePrivate } from '../files.ts'
import { Usage } from '../trouble.ts'

/** The private key in a file, PKCS#8 PEM. @throws Usage for what is none */
export async function keyFile(file: string): Promise<Signer> {
  const pem = readText(file)
  try {
    return await signerFromPkcs8(pem)
  } catch {
    throw new Usage(`${file} holds no private key: PKCS#8 PEM of P-256 or Ed25519`)
  }
}

/** The same; where there is no such file, one is made with a new key, readable for its owner alone. */
export async function keyFileOrNew(file: string): Promise<Signer> {
  if (existsSync(file)) return keyFile(file)
  const { signer, pkcs8Pem } = await generateExportable()
  writePrivate(file, pkcs8Pem)
  return signer
}
