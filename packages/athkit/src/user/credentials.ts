import type { Awaitable } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import { claimsOf, credentialId } from '../handshake/index.ts'

/** What a user remembers of a credential they signed: enough to judge questions about it, and to take it back. */
export interface SignedCredential {
  readonly id: string
  readonly clientDid: string
  readonly scopes: readonly string[]
  /** Unix seconds. */
  readonly expiresAt: number
  /** Server DIDs and origins it is good at; undefined: everywhere. */
  readonly audience: readonly string[] | undefined
  readonly restrictions: JsonObject
}

/** Where a wallet keeps them; in memory, unless it has a place that lasts. */
export interface CredentialBook {
  add(credential: SignedCredential): Awaitable<void>
  find(credentialId: string): Awaitable<SignedCredential | undefined>
}

export function createCredentialBook(): CredentialBook {
  const book = new Map<string, SignedCredential>()
  return {
    add: (credential) => {
      book.set(credential.id, credential)
    },
    find: (id) => book.get(id),
  }
}

/** What is remembered of a credential. @throws HandshakeError `malformed_message` when it is none */
export async function rememberedOf(credential: string | JsonObject): Promise<SignedCredential> {
  const claims = claimsOf(credential)
  const { aud } = claims
  return {
    id: await credentialId(claims),
    clientDid: String(claims.client_did),
    scopes: claims.scopes as readonly string[],
    expiresAt: (claims.exp ?? claims.expires_at) as number,
    audience: typeof aud === 'string' ? [aud] : ((aud ?? undefined) as readonly string[] | undefined),
    restrictions: (claims.restrictions ?? {}) as JsonObject,
  }
}
