import { type PublicKey, publicKeyFromMultikey } from '../crypto/keys.ts'
import { parseDid } from '../did/did.ts'
import { type DidDocument, documentOfKey, keysOf, type Relationship } from '../did/document.ts'
import type { Resolution } from '../did/resolver.ts'
import { type ErrorName, HandshakeError } from '../errors.ts'
import { verifyPresentedKey } from '../handshake/index.ts'
import type { ServiceContext } from './context.ts'
import { endDeactivated } from './revocation/recheck.ts'

/** A party's DID names a partition of the store, whose name is bounded. */
export const LONGEST_DID = 500

/** A user who is enrolled here (ATH-4.7), and their current document. */
export interface EnrolledUser {
  readonly account: string
  /** Without keys where the DID was deactivated, or is not to be found: nothing that is signed by it counts any more. */
  readonly document: DidDocument
}

/**
 * undefined for a DID that is not enrolled: it is not resolved then. One that is and has no keys any more is refused by the same names:
 * no answer says whether a DID has an account.
 *
 * @param fresh as in {@link withCurrentKeys}
 * @throws HandshakeError `resolver_unavailable`
 */
export async function enrolledUser(
  context: ServiceContext,
  userDid: string,
  fresh = false,
): Promise<EnrolledUser | undefined> {
  if (userDid.length > LONGEST_DID) return undefined
  const user = await context.users.find(userDid)
  if (user === undefined) return undefined
  return { account: user.account, document: await documentOfUser(context, userDid, fresh) }
}

async function documentOfUser(context: ServiceContext, did: string, fresh: boolean): Promise<DidDocument> {
  try {
    const { document, deactivated } = await context.resolver.resolve(did, { fresh })
    if (deactivated !== true) return document
    await endDeactivated(context, did)
  } catch (error) {
    if (!(error instanceof HandshakeError && error.code === 401)) throw error
  }
  return { id: did }
}

/**
 * The document that a key form has of itself, for whoever is not enrolled: what they send is verified as if they were, and then refused
 * as a wrong signature is, so that how long it takes says nothing either. undefined for other DIDs, which are not resolved (ATH-4.7).
 */
export async function documentOfStranger(did: string): Promise<DidDocument | undefined> {
  const id = keyFormOf(did)
  return id === undefined ? undefined : documentOfKey(did, await publicKeyFromMultikey(id))
}

function keyFormOf(did: string): string | undefined {
  try {
    const { form, id } = parseDid(did)
    return form === 'key' ? id : undefined
  } catch (error) {
    if (error instanceof HandshakeError) return undefined
    throw error
  }
}

/** The keys of an enrolled user; none for anybody else, and for a deactivated one. */
export async function keysOfUser(
  context: ServiceContext,
  userDid: string,
  relationship: Relationship,
  fresh = false,
): Promise<readonly PublicKey[]> {
  const user = await enrolledUser(context, userDid, fresh)
  return user === undefined ? [] : keysOf(user.document, relationship)
}

/**
 * A check by the keys of somebody's document. Where it is refused by this name, it is made once more with the document passing over the
 * cache: they may have exchanged their key since it was read (ATH-4.4).
 */
export async function withCurrentKeys<T>(
  refusal: ErrorName,
  check: (fresh: boolean) => Promise<T>,
): Promise<T> {
  try {
    return await check(false)
  } catch (error) {
    if (!(error instanceof HandshakeError && error.error === refusal)) throw error
  }
  return check(true)
}

/**
 * The client's document, which lists the key it presents (ATH-4.3). A mismatch passes over the cache once (ATH-4.4).
 *
 * @param requester the group of network addresses that asks, before m3 has shown who they are
 * @throws HandshakeError `identity_unknown`, `identity_revoked`, `key_mismatch`, `resolver_unavailable`
 */
export async function resolveClient(
  context: ServiceContext,
  did: string,
  key: PublicKey,
  requester?: string,
): Promise<Resolution> {
  const resolution = await context.resolver.resolve(did, { requester })
  if (resolution.deactivated === true) await endDeactivated(context, did)
  try {
    await verifyPresentedKey(key, resolution, 'm1')
    return resolution
  } catch (error) {
    const stale = error instanceof HandshakeError && error.error === 'key_mismatch'
    if (!stale || parseDid(did).form === 'key') throw error
  }
  const fresh = await context.resolver.resolve(did, { fresh: true, requester })
  if (fresh.deactivated === true) await endDeactivated(context, did)
  await verifyPresentedKey(key, fresh, 'm1')
  return fresh
}
