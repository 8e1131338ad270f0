import type { Json, JsonObject } from '../crypto/json.ts'
import { type PublicKey, publicKeyFromJwk, publicKeyFromMultikey, toMultikey } from '../crypto/keys.ts'
import { HandshakeError } from '../errors.ts'

/** A DID document (W3C DID Core), as far as it is used here; it is kept as it was received. */
export interface DidDocument extends JsonObject {
  readonly id: string
}

/** What a key may be used for (ATH-4.3, ATH-4.6, ATH-4.7). */
export type Relationship = 'authentication' | 'assertionMethod' | 'capabilityInvocation'

/** The document of a DID that is its own key: the one key in every relationship. */
export function documentOfKey(did: string, key: PublicKey): DidDocument {
  const multikey = toMultikey(key)
  const id = `${did}#${multikey}`
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    verificationMethod: [{ id, type: 'Multikey', controller: did, publicKeyMultibase: multikey }],
    authentication: [id],
    assertionMethod: [id],
    capabilityInvocation: [id],
  }
}

/** More methods than any party needs; each costs an import. */
const MOST_METHODS = 64

/**
 * The keys that a document lists for a relationship, by reference or embedded, as Multikey or JsonWebKey. A method that names
 * another controller, or holds a key of no kind that is known here, is passed over.
 */
export async function keysOf(
  document: DidDocument,
  relationship: Relationship,
): Promise<readonly PublicKey[]> {
  const known = cached(document).get(relationship)
  if (known !== undefined) return known
  const keys: PublicKey[] = []
  for (const entry of listOf(document[relationship]).slice(0, MOST_METHODS)) {
    const method = typeof entry === 'string' ? methodNamed(document, entry) : objectOf(entry)
    const key = method === undefined ? undefined : await keyOf(method, document)
    if (key !== undefined) keys.push(key)
  }
  cached(document).set(relationship, keys)
  return keys
}

/** Documents are immutable here; their keys are imported once. */
const cache = new WeakMap<DidDocument, Map<Relationship, readonly PublicKey[]>>()

function cached(document: DidDocument): Map<Relationship, readonly PublicKey[]> {
  const found = cache.get(document)
  if (found !== undefined) return found
  const empty = new Map<Relationship, readonly PublicKey[]>()
  cache.set(document, empty)
  return empty
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

async function keyOf(method: JsonObject, document: DidDocument): Promise<PublicKey | undefined> {
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

const listOf = (value: Json): readonly Json[] => (Array.isArray(value) ? value : [])

const objectOf = (value: Json): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
