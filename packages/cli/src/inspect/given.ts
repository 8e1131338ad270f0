import type { JsonObject } from 'athkit/crypto'
import type { DidDocument } from 'athkit/did'
import { Usage } from '../trouble.ts'
import { kindOfMessage } from './kinds.ts'
import { createKnown, type Known, type KnownOptions } from './known.ts'
import type { Thing } from './read.ts'

/** Things that are given together are context to each other. */
export const knownFrom = (
  things: readonly Thing[],
  rest: Pick<KnownOptions, 'now' | 'audience' | 'serverDid'>,
): Known => createKnown({ ...rest, messages: messagesIn(things), documents: documentsIn(things) })

/** Of one handshake: two of a kind would each be judged by the other's. */
function messagesIn(things: readonly Thing[]): ReadonlyMap<string, JsonObject> {
  const messages = new Map<string, JsonObject>()
  for (const message of things.filter(isMessage)) {
    const kind = kindOfMessage(message)?.kind
    if (kind === undefined) continue
    if (/^m[1-9]/.test(kind) && messages.has(kind)) {
      throw new Usage(`two messages ${kind} are given: look at one handshake at a time`)
    }
    messages.set(kind, message)
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
