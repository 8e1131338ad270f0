import type { JsonObject } from '../crypto/json.ts'
import { parseDid } from '../did/did.ts'
import { HandshakeError } from '../errors.ts'
import type { Entry } from './entries.ts'

/** A W3C DID resolution result (DID Resolution v0.3) and the HTTP status it travels under. */
export interface ResolutionResult {
  readonly status: number
  readonly body: JsonObject
}

const CONTEXT = 'https://w3id.org/did-resolution/v1'

export function resultOf({ state, created, updated }: Entry): ResolutionResult {
  const { document, deactivated, seq, head } = state
  const body = {
    '@context': CONTEXT,
    didDocument: document ?? { id: state.did },
    didResolutionMetadata: { contentType: 'application/did+json' },
    didDocumentMetadata: {
      created: dateOf(created),
      updated: dateOf(updated),
      versionId: `${seq}-${head}`,
      ...(deactivated ? { deactivated } : {}),
    },
  }
  return { status: deactivated ? 410 : 200, body }
}

type Failure = 'invalidDid' | 'methodNotSupported' | 'notFound'

const STATUS: Record<Failure, number> = { invalidDid: 400, methodNotSupported: 501, notFound: 404 }

export function failureOf(error: Failure): ResolutionResult {
  const body = {
    '@context': CONTEXT,
    didDocument: null,
    didResolutionMetadata: { error },
    didDocumentMetadata: {},
  }
  return { status: STATUS[error], body }
}

/** What there is to say of a DID before it is looked up; undefined where it may be registered here. */
export function unresolvable(did: string): ResolutionResult | undefined {
  try {
    const { method, form } = parseDid(did)
    if (method !== 'ath') return failureOf('methodNotSupported')
    return form === 'named' ? undefined : failureOf('notFound')
  } catch (error) {
    if (error instanceof HandshakeError) return failureOf('invalidDid')
    throw error
  }
}

/** As XML Schema's dateTime in UTC, without fractions, as DID Core asks. */
const dateOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
