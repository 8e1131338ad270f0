import type { JsonObject } from '../crypto/json.ts'
import type { DidDocument } from '../did/document.ts'
import { anchor } from '../handshake/anchoring.ts'
import { Refused } from './refused.ts'

interface Input {
  readonly server_did: string
  readonly audience: string
  readonly pins: readonly string[]
  readonly credential_aud: readonly string[] | string | null
  readonly document: DidDocument | null
  readonly verifying: boolean
}

/** anchor.json: how the client knows the server it dialled (ATH-6.1.5). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const { server_did, audience, pins, credential_aud, document, verifying } = input as unknown as Input
  const anchored = anchor({
    serverDid: server_did,
    audience,
    pins,
    credentialAudience: typeof credential_aud === 'string' ? [credential_aud] : (credential_aud ?? []),
    document: document ?? undefined,
    verifying,
  })
  if (anchored === false) throw new Refused({ anchored })
  return { anchored }
}
