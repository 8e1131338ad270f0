import type { JsonObject } from '../crypto/json.ts'
import type { DidDocument } from '../did/document.ts'
import { verifyClientCredential } from '../did/vc.ts'

/** vc.json: one credential of message 3 (ATH-6.1.6). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const claims = await verifyClientCredential(input.vc, {
    issuers: new Map(Object.entries(input.issuers as Record<string, DidDocument>)),
    types: input.types as readonly string[],
    clientDid: input.client_did as string,
    now: input.now as number,
  })
  return { used: claims !== undefined }
}
