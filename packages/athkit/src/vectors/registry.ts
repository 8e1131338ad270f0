import type { JsonObject } from '../crypto/json.ts'
import { type HistoryContext, verifyHistory } from '../did/history.ts'

/** registry.json: the history of one named DID, as a resolver reads it (ATH-4.6). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const context = { seen: input.seen ?? null, taken: input.taken } as unknown as HistoryContext
  return { ...(await verifyHistory(input.operations as readonly JsonObject[], context)) }
}
