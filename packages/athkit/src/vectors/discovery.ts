import type { Json, JsonObject } from '../crypto/json.ts'
import { parseDiscovery, resolveLocation } from '../messages/discovery.ts'

interface Input {
  readonly document?: Json
  readonly fetched_from: string
  readonly location?: Json
  readonly handshake_endpoint: string
}

/** discovery.json: where the endpoints are, or the handshake (ATH-3.1 to 3.3). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const { document, fetched_from, location, handshake_endpoint } = input as unknown as Input
  if (Object.hasOwn(input, 'location')) return { location: resolveLocation(location, handshake_endpoint) }
  return { ...parseDiscovery(document, fetched_from).endpoints }
}
