import type { JsonObject, PublicKey } from 'athkit/crypto'
import { createResolver, type DidDocument, keysOf, parseDid, type Relationship } from 'athkit/did'

/** What is known beside the one message that is looked at. Nothing is asked of anybody: no network, no vault. */
export interface Known {
  /** Unix seconds: judged as of then. */
  readonly now: number
  /** The origin that was dialled, or is meant. */
  readonly audience: string | undefined
  /** The DID that the server is known by. */
  readonly serverDid: string | undefined
  /** Another message of the same handshake, such as `m1`. */
  message(kind: string): JsonObject | undefined
  documentOf(did: string): Promise<DidDocument | undefined>
  /** @returns why not, in words, where the DID's document is not here */
  keysOf(did: unknown, relationship: Relationship): Promise<readonly PublicKey[] | string>
}

export interface KnownOptions {
  readonly now: number
  readonly audience: string | undefined
  readonly serverDid: string | undefined
  readonly messages: ReadonlyMap<string, JsonObject>
  readonly documents: ReadonlyMap<string, DidDocument>
}

export function createKnown({ documents, messages, ...given }: KnownOptions): Known {
  const resolver = createResolver()

  /** Key forms prove themselves; everything else would have to be asked for. */
  async function documentOf(did: string): Promise<DidDocument | undefined> {
    const given = documents.get(did)
    if (given !== undefined || parseDid(did).form !== 'key') return given
    return (await resolver.resolve(did)).document
  }

  return {
    ...given,
    documentOf,
    message: (kind) => messages.get(kind),
    async keysOf(did, relationship) {
      if (typeof did !== 'string') return 'takes a DID'
      const document = await documentOf(did)
      return document === undefined ? `takes the DID document of ${did}` : keysOf(document, relationship)
    },
  }
}

/** The messages of that kind, or which are missing. */
export function messagesOf<Kind extends string>(
  known: Known,
  kinds: readonly Kind[],
): Readonly<Record<Kind, JsonObject>> | string {
  const found = new Map(kinds.map((kind) => [kind, known.message(kind)]))
  const missing = kinds.filter((kind) => found.get(kind) === undefined)
  if (missing.length > 0) return `takes ${missing.join(', ')}`
  return Object.fromEntries(found) as Record<Kind, JsonObject>
}
