import type { Json, JsonObject } from '../crypto/json.ts'
import type { DidDocument } from '../did/document.ts'
import { verifyUserAuthorization } from '../handshake/0-user-authorization.ts'

interface Input {
  readonly now: number
  readonly client_did: string
  readonly server_names: readonly string[]
  readonly users: Readonly<Record<string, DidDocument>>
  readonly revoked: readonly string[]
  readonly uses: Readonly<Record<string, number>>
  readonly credential: Json
}

/** credential.json: the user's authorization, at a server (ATH-6.2.1, ATH-6.2.3). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const { now, client_did, server_names, users, revoked, uses, credential } = input as unknown as Input
  const documents = new Map(Object.entries(users))
  const counts = new Map(Object.entries(uses))
  const verified = await verifyUserAuthorization(credential, {
    now,
    clientDid: client_did,
    serverNames: server_names,
    enrolled: async (did) => documents.get(did),
    revoked: async (_, id) => revoked.includes(id),
    uses: async (_, id) => counts.get(id) ?? 0,
  })
  return {
    user_did: verified.userDid,
    scopes: verified.scopes,
    expires_at: verified.expiresAt,
    credential_id: verified.credentialId,
  }
}
