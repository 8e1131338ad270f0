import { verifyChain } from '../audit/chain.ts'
import type { JsonObject } from '../crypto/json.ts'
import { publicKeyFromJwk } from '../crypto/keys.ts'

/** audit.json: entries and heads of one process's chain (ATH-10). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const headKey = await publicKeyFromJwk(input.public_jwk)
  const heads = input.heads as readonly JsonObject[]
  return {
    ...(await verifyChain(input.entries as readonly JsonObject[], {
      process: input.process as string,
      heads,
      headKey,
    })),
  }
}
