import type { Json, JsonObject } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'
import { listOf } from '../did/document.ts'
import type { Resolution } from '../did/resolver.ts'
import { memberOf } from '../did/vc.ts'
import type { ServiceContext } from './context.ts'

/**
 * What is shown to the user about an agent, and told to policy (ATH-6.3.1): the operator's own record, else what a credential of somebody
 * they trust says, else what a registry that verifies it has. Never what an agent says of itself: a document that nobody checks is
 * its own words too.
 *
 * @param known what was found out earlier
 */
export async function clientInfoOf(
  context: ServiceContext,
  clientDid: string,
  known: JsonObject,
): Promise<JsonObject> {
  return { ...known, ...(await context.clientInfo?.(clientDid)) }
}

/** Of a registry that is configured as verifying agents: `serviceEndpoint` of the document's entry of type `AthAgent`. */
export function infoInDocument({ document, registry }: Resolution): JsonObject {
  if (registry?.verifiesAgents !== true) return {}
  const entry = listOf(document.service).find((one) => [memberOf(one, 'type')].flat().includes('AthAgent'))
  return infoIn(memberOf(entry, 'serviceEndpoint'))
}

/** Of the subject of a credential that was verified. */
export const infoInCredential = (claims: JsonObject): JsonObject => infoIn(claims.credentialSubject)

const MEMBERS = ['name', 'developer']
const LONGEST = 200

function infoIn(value: Json): JsonObject {
  if (!isObject(value)) return {}
  const isText = (one: Json) => typeof one === 'string' && one.length > 0 && one.length <= LONGEST
  return Object.fromEntries(MEMBERS.filter((name) => isText(value[name])).map((name) => [name, value[name]]))
}
