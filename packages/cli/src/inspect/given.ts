import type { JsonObject } from 'athkit/crypto'
import type { DidDocument } from 'athkit/did'
import * as h from 'athkit/handshake'
import { Usage } from '../trouble.ts'
import { kindOfMessage } from './kinds.ts'
import { createKnown, type Known, type KnownOptions } from './known.ts'
import type { Thing } from './read.ts'

/** Things that are given together are context to each other. */
export const knownFrom = (
  things: readonly Thing[],
  rest: Pick<KnownOptions, 'now' | 'audience' | 'serverDid'>,
): Known => createKnown({ ...rest, messages: messagesIn(things), documents: documentsIn(things) })

type Schema = Parameters<typeof h.shaped>[0]

const SCHEMAS: ReadonlyMap<string, Schema> = new Map<string, Schema>([
  ['m1', h.HandshakeRequest],
  ['m2', h.HandshakeResponse],
  ['m3', h.IdentityProof],
  ['m4', h.IdentityResult],
  ['m5', h.ScopeRequest],
  ['m6', h.ConfirmationRequest],
  ['m7', h.ConfirmationResponse],
  ['m8', h.ScopeResult],
  ['m9a', h.KeyExchange],
  ['m9b', h.HandshakeComplete],
])

/** A message that is none is no context for others: by what it lacks it is judged where it is looked at itself. */
function hasItsShape(kind: string, message: JsonObject): boolean {
  const schema = SCHEMAS.get(kind)
  if (schema === undefined) return true
  try {
    h.shaped(schema, message, kind)
    return true
  } catch {
    return false
  }
}

/** Of one handshake: two of a kind would each be judged by the other's. */
function messagesIn(things: readonly Thing[]): ReadonlyMap<string, JsonObject> {
  const messages = new Map<string, JsonObject>()
  for (const message of things.filter(isMessage)) {
    const kind = kindOfMessage(message)?.kind
    if (kind === undefined) continue
    if (/^m[1-9]/.test(kind) && messages.has(kind)) {
      throw new Usage(`two messages ${kind} are given: look at one handshake at a time`)
    }
    if (hasItsShape(kind, message)) messages.set(kind, message)
  }
  return messages
}

const documentsIn = (things: readonly Thing[]): ReadonlyMap<string, DidDocument> =>
  new Map(
    things
      .filter(isMessage)
      .map((message) => (message.didDocument ?? message) as DidDocument)
      .filter((document) => kindOfMessage(document)?.kind === 'document')
      .map((document) => [document.id, document]),
  )

const isMessage = (thing: Thing): thing is JsonObject =>
  typeof thing === 'object' && !(thing instanceof Uint8Array)
