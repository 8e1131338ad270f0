import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import {
  type DidDocument,
  DOCUMENT_CONTEXT,
  keyOf,
  keysOf,
  listOf,
  methodOf,
  methodOfKey,
  PLACES,
  RELATIONSHIPS,
  type Relationship,
} from './document.ts'

/** Which keys a document lists for what. One key may stand under several. */
export interface DocumentKeys {
  /** Keys that speak for the DID: in handshakes, over messages. */
  readonly authentication: readonly PublicKey[]
  /** Keys that sign credentials (ATH-4.7); those of `authentication` without it. */
  readonly assertionMethod?: readonly PublicKey[]
  /** Keys that change the document itself (ATH-4.6). Best a key of its own that is kept offline. */
  readonly capabilityInvocation: readonly PublicKey[]
}

/** The document of a named DID. @param services its `service` entries, such as an `AthService` that names an origin (ATH-6.1.5) */
export function namedDocument(
  did: string,
  keys: DocumentKeys,
  services: readonly JsonObject[] = [],
): DidDocument {
  const lists: Record<Relationship, readonly PublicKey[]> = {
    authentication: keys.authentication,
    assertionMethod: keys.assertionMethod ?? keys.authentication,
    capabilityInvocation: keys.capabilityInvocation,
  }
  const methods = new Map(
    RELATIONSHIPS.flatMap((name) => lists[name]).map((key) => [key.thumbprint, methodOfKey(did, key)]),
  )
  return {
    '@context': DOCUMENT_CONTEXT,
    id: did,
    verificationMethod: [...methods.values()],
    ...Object.fromEntries(
      RELATIONSHIPS.map((name) => [name, lists[name].map((key) => methodOfKey(did, key).id)]),
    ),
    ...(services.length === 0 ? {} : { service: [...services] }),
  }
}

/** The document with the key under these relationships, beside what stands there. */
export async function withKey(
  document: DidDocument,
  key: PublicKey,
  relationships: readonly Relationship[],
): Promise<DidDocument> {
  const known = (await methodsOfKey(document, key))[0]
  const method = known ?? methodOfKey(document.id, key)
  const lists = await Promise.all(
    relationships.map(async (name) => {
      const has = (await keysOf(document, name)).some(({ thumbprint }) => thumbprint === key.thumbprint)
      return [name, has ? listOf(document[name]) : [...listOf(document[name]), method.id]] as const
    }),
  )
  return {
    ...document,
    verificationMethod: [...listOf(document.verificationMethod), ...(known === undefined ? [method] : [])],
    ...Object.fromEntries(lists),
  }
}

/** The document without the key, wherever it stands. */
export async function withoutKey(document: DidDocument, key: PublicKey): Promise<DidDocument> {
  const isOther = async (method: JsonObject | undefined) =>
    method === undefined || (await keyOf(method, document))?.thumbprint !== key.thumbprint
  const kept = async (entries: readonly Json[]) => {
    const others = await Promise.all(entries.map((entry) => isOther(methodOf(entry, document))))
    return entries.filter((_, at) => others[at] === true)
  }
  const lists = await Promise.all(
    PLACES.filter((place) => document[place] !== undefined).map(
      async (place) => [place, await kept(listOf(document[place]))] as const,
    ),
  )
  return { ...document, ...Object.fromEntries(lists) }
}

/** The methods that are listed, not embedded, and hold the key. */
async function methodsOfKey(
  document: DidDocument,
  key: PublicKey,
): Promise<readonly (JsonObject & { readonly id: string })[]> {
  const methods = listOf(document.verificationMethod) as readonly JsonObject[]
  const keys = await Promise.all(methods.map((method) => keyOf(method, document)))
  return methods.filter(
    (method, at): method is JsonObject & { readonly id: string } =>
      typeof method.id === 'string' && keys[at]?.thumbprint === key.thumbprint,
  )
}

/** The relationships that list the key. */
export async function relationshipsOf(
  document: DidDocument,
  key: PublicKey,
): Promise<readonly Relationship[]> {
  const lists = await Promise.all(RELATIONSHIPS.map((name) => keysOf(document, name)))
  return RELATIONSHIPS.filter((_, at) => lists[at]?.some(({ thumbprint }) => thumbprint === key.thumbprint))
}
