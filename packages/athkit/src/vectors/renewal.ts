import type { JsonObject } from '../crypto/json.ts'
import type { DidDocument } from '../did/document.ts'
import type { AccessTokenClaims } from '../token/access-token.ts'
import { verifyRenewedToken } from '../token/renewal.ts'

/** renewal.json: a renewed token, at the client (ATH-7.10). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const claims = await verifyRenewedToken(input.access_token, {
    before: input.before as unknown as AccessTokenClaims,
    grantEnd: input.grant_end as number,
    server: input.server as DidDocument,
    now: input.now as number,
  })
  return { scope: claims.scope, exp: claims.exp }
}
