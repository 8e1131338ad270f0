import * as v from 'valibot'
import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { object, shaped, time, without } from '../crypto/shape.ts'
import { verifyLabelled } from '../crypto/signature.ts'
import { type ErrorName, HandshakeError, refuse } from '../errors.ts'
import { parseDid } from './did.ts'
import { allKeys, type DidDocument, keysOf } from './document.ts'

/** The history of a named DID (ATH-4.6): each operation signed by who controlled the state before it, and chained to it. */
export const DidOperation = v.object({
  type: v.literal('did_operation'),
  did: v.string(),
  op: v.picklist(['create', 'update', 'deactivate']),
  seq: v.pipe(v.number(), v.safeInteger()),
  previous: v.nullable(v.string()),
  document: v.nullable(object),
  timestamp: time,
  signatures: v.array(v.object({ kid: v.string(), signature: v.unknown() })),
})
export type DidOperation = v.InferOutput<typeof DidOperation> & JsonObject

export interface DidState {
  readonly did: string
  readonly seq: number
  /** H(the last operation, signatures included). */
  readonly head: string
  readonly deactivated: boolean
  readonly document: DidDocument | null
}

/** A history that cannot be accepted, and the index of the first operation that is to blame. */
export class RefusedHistory extends Error {
  override readonly name = 'RefusedHistory'
  readonly at: number
  readonly error: ErrorName

  constructor(at: number, error: ErrorName, cause?: unknown) {
    super(`operation ${at}: ${error}`, { cause })
    this.at = at
    this.error = error
  }
}

export interface HistoryContext {
  /** What was accepted before: a history that does not extend it is refused. */
  readonly seen: { readonly seq: number; readonly head: string } | null
  /** DIDs registered already. */
  readonly taken: readonly string[]
}

/** @throws RefusedHistory */
export async function verifyHistory(
  operations: readonly JsonObject[],
  { seen, taken }: HistoryContext,
): Promise<DidState> {
  let state: DidState | undefined
  for (const [at, operation] of operations.entries()) {
    try {
      state = await applyOperation(operation, state)
      if (at === 0) checkNameIsFree(state.did, taken)
    } catch (error) {
      if (error instanceof HandshakeError) throw new RefusedHistory(at, error.error, error)
      throw error
    }
    if (seen?.seq === at && seen.head !== state.head) throw new RefusedHistory(at, 'out_of_order')
  }
  if (state === undefined || (seen !== null && state.seq < seen.seq)) {
    throw new RefusedHistory(operations.length, 'out_of_order')
  }
  return state
}

/**
 * The state after one operation: what a registry does with each that is submitted, and a resolver with all of them.
 *
 * @param before undefined before the first
 * @throws HandshakeError `malformed_message`; `identity_revoked` after a deactivation; `out_of_order` for one that does not follow;
 *   `signature_invalid` when a signature that is due is missing or wrong
 */
export async function applyOperation(message: Json, before: DidState | undefined): Promise<DidState> {
  const operation: DidOperation = shaped(DidOperation, message, 'did_operation')
  const { did, op, seq } = operation
  if (parseDid(did).form !== 'named')
    throw refuse('malformed_message', 'not a named DID', { rule: 'ATH-4.1' })
  if (before?.deactivated === true)
    throw refuse('identity_revoked', 'the DID is deactivated', { rule: 'ATH-4.6' })
  const follows =
    seq === (before?.seq ?? -1) + 1 &&
    operation.previous === (before?.head ?? null) &&
    (op === 'create') === (before === undefined) &&
    (before === undefined || before.did === did)
  if (!follows) throw refuse('out_of_order', 'the operation does not follow', { rule: 'ATH-4.6' })
  const document = documentOf(operation)
  await checkSignatures(operation, before?.document ?? null, document)
  return { did, seq, head: await hash(operation), deactivated: document === null, document }
}

/** @throws HandshakeError `out_of_order` */
export function checkNameIsFree(did: string, taken: readonly string[]): void {
  if (!taken.some((name) => name.toLowerCase() === did.toLowerCase())) return
  throw refuse('out_of_order', 'the name is taken, or differs from one only in case', { rule: 'ATH-4.1' })
}

function documentOf({ op, did, document }: DidOperation): DidDocument | null {
  if (op === 'deactivate' ? document !== null : document?.id !== did) {
    throw refuse('malformed_message', 'the document is not that of the DID', { rule: 'ATH-4.6' })
  }
  return document as DidDocument | null
}

/** One of the controlling keys, and every key being added, have signed; no signature is there that does not hold. */
async function checkSignatures(
  operation: DidOperation,
  before: DidDocument | null,
  after: DidDocument | null,
) {
  const [known, next] = [await allKeys(before), await allKeys(after)]
  const controlling = await keysOf((before ?? after) as DidDocument, 'capabilityInvocation')
  const covered = without(operation, 'signatures')
  const signed = new Set<string>()
  for (const { kid, signature } of operation.signatures) {
    const key = [...known, ...next].find(({ thumbprint }) => thumbprint === kid)
    if (key === undefined) throw unsigned('a signature by a key that is in neither state')
    await verifyLabelled(key, 'did_operation', covered, signature as string)
    signed.add(kid)
  }
  if (!controlling.some(({ thumbprint }) => signed.has(thumbprint)))
    throw unsigned('no controlling key has signed')
  const added = next.filter((key) => !known.some(({ thumbprint }) => thumbprint === key.thumbprint))
  if (!added.every(({ thumbprint }) => signed.has(thumbprint)))
    throw unsigned('a key being added has not signed')
}

const unsigned = (reason: string) => refuse('signature_invalid', reason, { rule: 'ATH-4.6' })
