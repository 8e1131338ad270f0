import type { JsonObject } from 'athkit/crypto'
import { parseDid } from 'athkit/did'

/** What the shop itself knows about agents; nobody gets in here by what they say of themselves (ATH-6.3.1). */
const KNOWN: ReadonlyMap<string, JsonObject> = new Map([
  [
    'did:ath:ai_shopping_assistant_001',
    { name: 'AI Shopping Assistant', developer: 'Example Assistants Ltd' },
  ],
])

export function clientInfo(did: string): JsonObject {
  const { form, id } = parseDid(did)
  if (form === 'key') return { name: 'AI Shopping Assistant', developer: 'known by its key alone' }
  return KNOWN.get(did) ?? { name: id, developer: 'not known to the shop' }
}
