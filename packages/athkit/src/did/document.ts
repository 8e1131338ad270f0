import type { Json, JsonObject } from '../crypto/json.ts'
import { type PublicKey, publicKeyFromJwk, publicKeyFromMultikey, toMultikey } from '../crypto/keys.ts'
import { HandshakeError } from '../errors.ts'

/** A DID document (W3C DID Core), as far as it is used here; it is kept as it was received. */
export interface DidDocument extends JsonObject {
  readonly id: string
}

/** What a key may be used for (ATH-4.3, ATH-4.6, ATH-4.7). */
export type Relationship = 'authentication' | 'assertionMethod' | 'capabilityInvocation'

export const RELATIONSHIPS: readonly Relationship[] = [
  'authentication',
  'assertionMethod',
  'capabilityInvocation',
]

/** Everywhere that a document may hold a key, whatever for. */
export const PLACES = [
  'verificationMethod',
  ...RELATIONSHIPS,
  'capabilityDelegation',
  'keyAgreement',
] as const

/** The document of a DID that is its own key: the one key in every relationship. */
export function documentOfKey(did: string, key: PublicKey): DidDocument {
  const method = methodOfKey(did, key)
  return {
    '@context': DOCUMENT_CONTEXT,
    id: did,
    verificationMethod: [method],
    authentication: [method.id],
    assertionMethod: [method.id],
    capabilityInvocation: [method.id],
  }
}

export const DOCUMENT_CONTEXT = ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1']

/** How documents made here list a key. */
export function methodOfKey(did: string, key: PublicKey): JsonObject & { readonly id: string } {
  const multikey = toMultikey(key)
  return { id: `${did}#${multikey}`, type: 'Multikey', controller: did, publicKeyMultibase: multikey }
}

/** More methods than any party needs; each costs an import. */
const MOST_METHODS = 64

/**
 * The keys that a document lists for a relationship (or holds in another place), by reference or embedded, as Multikey or JsonWebKey. A method that names
 * another controller, or holds a key of no kind that is known here, is passed over.
 */
export async function keysOf(
  document: DidDocument,
  place: (typeof PLACES)[number],
): Promise<readonly PublicKey[]> {
  const known = cached(document).get(place)
  if (known !== undefined) return known
  const keys: PublicKey[] = []
  for (const entry of listOf(document[place]).slice(0, MOST_METHODS)) {
    const method = methodOf(entry, document)
    const key = method === undefined ? undefined : await keyOf(method, document)
    if (key !== undefined) keys.push(key)
  }
  cached(document).set(place, keys)
  return keys
}

/** Every key that the document holds, each once. One that is listed for nothing is held all the same. */
export async function allKeys(document: DidDocument | null): Promise<readonly PublicKey[]> {
  if (document === null) return []
  const lists = await Promise.all(PLACES.map((place) => keysOf(document, place)))
  return [...new Map(lists.flat().map((key) => [key.thumbprint, key])).values()]
}

/** Documents are immutable here; their keys are imported once. */
const cache = new WeakMap<DidDocument, Map<string, readonly PublicKey[]>>()

function cached(document: DidDocument): Map<string, readonly PublicKey[]> {
  const found = cache.get(document)
  if (found !== undefined) return found
  const empty = new Map<string, readonly PublicKey[]>()
  cache.set(document, empty)
  return empty
}

/** The method that an entry of a relationship names, or is. */
export function methodOf(entry: Json, document: DidDocument): JsonObject | undefined {
  return typeof entry === 'string' ? methodNamed(document, entry) : objectOf(entry)
}

function methodNamed(document: DidDocument, reference: string): JsonObject | undefined {
  const wanted = reference.startsWith('#') ? document.id + reference : reference
  return listOf(document.verificationMethod)
    .map(objectOf)
    .find((method) => {
      const id = method?.id
      return typeof id === 'string' && (id.startsWith('#') ? document.id + id : id) === wanted
    })
}

/** The key of one verification method of the document; undefined where it is another's, or of no kind known here. */
export async function keyOf(method: JsonObject, document: DidDocument): Promise<PublicKey | undefined> {
  if (method.controller !== undefined && method.controller !== document.id) return undefined
  try {
    if (method.type === 'Multikey') return await publicKeyFromMultikey(method.publicKeyMultibase)
    if (method.type === 'JsonWebKey' || method.type === 'JsonWebKey2020')
      return await publicKeyFromJwk(method.publicKeyJwk)
    return undefined
  } catch (error) {
    if (error instanceof HandshakeError) return undefined
    throw error
  }
}

export const listOf = (value: Json): readonly Json[] => (Array.isArray(value) ? value : [])

const objectOf = (value: Json): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
