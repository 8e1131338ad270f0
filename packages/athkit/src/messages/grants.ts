/**
 * What a user sees of their own live grants (ATH-8), to know what to take back.
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import { object, optional, scopes, shaped, time } from '../crypto/shape.ts'
import { fitting } from './fitting.ts'

/** One grant as the wire names its members. */
export const GrantEntry = v.object({
  /** The `jti` of its first token; a revocation names the grant by it. */
  id: v.string(),
  /** Of m6, where the user was asked. */
  request_id: optional(v.string()),
  client_did: v.string(),
  client_info: optional(object),
  credential_id: v.string(),
  scopes,
  restrictions: optional(object),
  granted_at: time,
  expires_at: time,
  /** Unix seconds of the last business request; null before the first. */
  last_used_at: optional(time),
})
export type GrantEntry = v.InferOutput<typeof GrantEntry> & JsonObject

export const GrantsListing = v.object({ grants: v.array(GrantEntry) })
export type GrantsListing = v.InferOutput<typeof GrantsListing> & JsonObject

export interface Grant {
  readonly id: string
  readonly requestId: string | undefined
  readonly clientDid: string
  readonly clientInfo: JsonObject
  readonly credentialId: string
  readonly scopes: readonly string[]
  readonly restrictions: JsonObject
  /** Unix seconds. */
  readonly grantedAt: number
  readonly expiresAt: number
  readonly lastUsedAt: number | undefined
}

/** As many as one body holds (ATH-1.1), the first of them. */
export const createGrantsListing = (grants: readonly Grant[]): GrantsListing => ({
  grants: [...fitting(grants.map(entryOf))],
})

const entryOf = (grant: Grant): GrantEntry => ({
  id: grant.id,
  request_id: grant.requestId ?? null,
  client_did: grant.clientDid,
  client_info: grant.clientInfo,
  credential_id: grant.credentialId,
  scopes: [...grant.scopes],
  restrictions: grant.restrictions,
  granted_at: grant.grantedAt,
  expires_at: grant.expiresAt,
  last_used_at: grant.lastUsedAt ?? null,
})

/** @throws HandshakeError `malformed_message` */
export function parseGrantsListing(body: Json): readonly Grant[] {
  const listing: GrantsListing = shaped(GrantsListing, body, 'grants')
  return listing.grants.map((grant) => ({
    id: grant.id,
    requestId: grant.request_id ?? undefined,
    clientDid: grant.client_did,
    clientInfo: grant.client_info ?? {},
    credentialId: grant.credential_id,
    scopes: grant.scopes,
    restrictions: grant.restrictions ?? {},
    grantedAt: grant.granted_at,
    expiresAt: grant.expires_at,
    lastUsedAt: grant.last_used_at ?? undefined,
  }))
}
