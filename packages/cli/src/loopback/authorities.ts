import { existsSync, readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'

/** PEM texts: the platform's authorities, those of NODE_EXTRA_CA_CERTS, and this one: for a development machine that has some of its own. */
export function authoritiesWith(ca: string | undefined): readonly string[] {
  const { NODE_EXTRA_CA_CERTS: file = '' } = process.env
  const extra = existsSync(file) ? [readFileSync(file, 'utf8')] : []
  return [...rootCertificates, ...extra, ...(ca === undefined ? [] : [ca])]
}
