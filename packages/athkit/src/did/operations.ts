import type { JsonObject } from '../crypto/json.ts'
import type { PublicKey, Signer } from '../crypto/keys.ts'
import { signLabelled } from '../crypto/signature.ts'
import { parseDid } from './did.ts'
import { allKeys, type DidDocument, keysOf, type Relationship } from './document.ts'
import { relationshipsOf, withKey, withoutKey } from './edit.ts'
import type { DidOperation, DidState } from './history.ts'

/**
 * What the holder of a named DID signs and submits (ATH-4.6), one function for each thing they may want. None of them asks anybody:
 * the state comes from a history that was verified.
 */
interface Signed {
  /** A controlling key of the state before (of the document itself to register), and every key that is being added. */
  readonly signers: readonly Signer[]
  /** Unix seconds. */
  readonly now: number
}

/** What an operation follows: the last state of a verified history. */
export interface Change extends Signed {
  readonly state: DidState
}

/** The first operation of a DID. @throws TypeError when a key that must sign is not among the signers, or the DID has no name */
export function registerOperation({
  document,
  ...signed
}: Signed & { readonly document: DidDocument }): Promise<DidOperation> {
  if (parseDid(document.id).form !== 'named') throw new TypeError(`${document.id} is not a named did:ath`)
  return signedOperation({ did: document.id, op: 'create', seq: 0, previous: null, document }, null, signed)
}

/** Puts another document in the place of the current one. @throws TypeError as {@link registerOperation}, or after the end */
export function updateOperation({
  state,
  document,
  ...signed
}: Change & { readonly document: DidDocument }): Promise<DidOperation> {
  return signedOperation({ ...after(state), op: 'update', document }, currentOf(state), signed)
}

/** @param key the signer of the new key: it has to show that somebody holds it */
export async function addKeyOperation({
  key,
  relationships,
  ...change
}: Change & {
  readonly key: Signer
  readonly relationships: readonly Relationship[]
}): Promise<DidOperation> {
  const document = await withKey(currentOf(change.state), key.publicKey, relationships)
  return updateOperation({ ...change, document, signers: [...change.signers, key] })
}

/** @throws TypeError when the key is not there, or nothing could be changed any more without it */
export async function removeKeyOperation({
  key,
  ...change
}: Change & { readonly key: PublicKey }): Promise<DidOperation> {
  const before = currentOf(change.state)
  const held = await allKeys(before)
  if (!held.some(({ thumbprint }) => thumbprint === key.thumbprint)) {
    throw new TypeError('the document has no such key')
  }
  const document = await withoutKey(before, key)
  if ((await keysOf(document, 'capabilityInvocation')).length === 0) {
    throw new TypeError('this is the last controlling key: add another before, or deactivate the DID')
  }
  return updateOperation({ ...change, document })
}

/** Puts a new key wherever the old one stands. A controlling key signs away its own power: it is among the `signers` then. */
export async function rotateKeyOperation({
  from,
  to,
  ...change
}: Change & { readonly from: PublicKey; readonly to: Signer }): Promise<DidOperation> {
  const before = currentOf(change.state)
  const relationships = await relationshipsOf(before, from)
  if (relationships.length === 0) throw new TypeError('the document has no such key')
  const document = await withKey(await withoutKey(before, from), to.publicKey, relationships)
  return updateOperation({ ...change, document, signers: [...change.signers, to] })
}

/** The last operation of a DID: nothing follows it, and the name is never free again. */
export function deactivateOperation({ state, ...signed }: Change): Promise<DidOperation> {
  return signedOperation({ ...after(state), op: 'deactivate', document: null }, currentOf(state), signed)
}

const after = ({ did, seq, head }: DidState) => ({ did, seq: seq + 1, previous: head })

function currentOf({ did, document }: DidState): DidDocument {
  if (document === null) throw new TypeError(`${did} is deactivated: nothing follows`)
  return document
}

type Unsigned = Pick<DidOperation, 'did' | 'op' | 'seq' | 'previous'> & {
  readonly document: DidDocument | null
}

async function signedOperation(
  operation: Unsigned,
  before: DidDocument | null,
  { signers, now }: Signed,
): Promise<DidOperation> {
  const due = [...new Map(signers.map((signer) => [signer.publicKey.thumbprint, signer])).values()]
  await checkSigners(due, before, operation.document)
  const covered: JsonObject = { type: 'did_operation', ...operation, timestamp: now }
  const signatures = await Promise.all(
    due.map(async (signer) => ({
      kid: signer.publicKey.thumbprint,
      signature: await signLabelled(signer, 'did_operation', covered),
    })),
  )
  return { ...covered, signatures } as unknown as DidOperation
}

/** What the registry would refuse is a mistake here: a TypeError that says which key has to sign. */
async function checkSigners(
  signers: readonly Signer[],
  before: DidDocument | null,
  after: DidDocument | null,
): Promise<void> {
  const signs = ({ thumbprint }: PublicKey) => signers.some((one) => one.publicKey.thumbprint === thumbprint)
  const controlling = await keysOf((before ?? after) as DidDocument, 'capabilityInvocation')
  if (!controlling.some(signs)) throw new TypeError('none of the signers controls the DID')
  const [known, next] = [await allKeys(before), await allKeys(after)]
  const isKnown = ({ thumbprint }: PublicKey) => known.some((key) => key.thumbprint === thumbprint)
  for (const key of next) {
    if (!isKnown(key) && !signs(key))
      throw new TypeError(`the key ${key.thumbprint} is added and has to sign`)
  }
  for (const { publicKey } of signers) {
    const isThere = isKnown(publicKey) || next.some((key) => key.thumbprint === publicKey.thumbprint)
    if (!isThere) throw new TypeError(`the key ${publicKey.thumbprint} is in neither document`)
  }
}
