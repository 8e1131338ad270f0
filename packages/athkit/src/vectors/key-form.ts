import type { PublicKey } from '../crypto/keys.ts'
import { keysOf } from '../did/document.ts'
import { createResolver, type Resolver } from '../did/resolver.ts'

/** Most files know DIDs in key form only: a resolver without registries, at the case's clock. */
export const keyFormResolver = (now: number): Resolver => createResolver({ now: () => now })

export async function authenticationKeys(did: string, now: number): Promise<readonly PublicKey[]> {
  const { document } = await keyFormResolver(now).resolve(did)
  return keysOf(document, 'authentication')
}
