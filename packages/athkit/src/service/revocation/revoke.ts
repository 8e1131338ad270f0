import type { Json } from '../../crypto/json.ts'
import type { PublicKey } from '../../crypto/keys.ts'
import { parseDid } from '../../did/did.ts'
import { keysOf } from '../../did/document.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import {
  createRevocationReceipt,
  type Revocation,
  type RevocationReceipt,
  verifyRevocation,
} from '../../messages/revocation.ts'
import type { ServiceContext } from '../context.ts'
import { documentOfStranger, LONGEST_DID, withCurrentKeys } from '../parties.ts'
import { revokeCredential, revokeRequest } from './credential.ts'
import { markRevoked, type Told } from './end-grant.ts'
import { finishNowAndThen } from './finish.ts'
import { clientPartition, GRANT_PREFIX, pointerTo } from './index-rows.ts'

/** Longer than any id that is given out here: what is longer names nothing. */
const LONGEST_ID = 256

/**
 * `POST {revocation_endpoint}` (ATH-8). The answer is the same whether the target was known, the signer's, or neither.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `signature_invalid`, `resolver_unavailable`
 */
export async function receiveRevocation(context: ServiceContext, message: Json): Promise<RevocationReceipt> {
  finishNowAndThen(context)
  let isStranger = false
  const revocation = await withCurrentKeys('signature_invalid', (fresh) =>
    verifyRevocation(message, {
      now: context.now(),
      origins: context.origins,
      keysOf: async (did) => {
        const keys = await keysOfSigner(context, did, fresh)
        isStranger = keys === undefined
        return keys ?? keysOfStranger(did)
      },
    }),
  )
  // After as much work as for anybody else: how long it takes says nothing either (ATH-4.7).
  if (isStranger) throw refuse('signature_invalid', 'its signer is nobody here', { rule: 'ATH-8' })
  if (revocation.target.id.length <= LONGEST_ID && (await act(context, revocation))) {
    const { kind, id } = revocation.target
    context.emit({ type: 'revoked', kind, id, by: revocation.signer_did, reason: revocation.reason ?? '' })
  }
  return createRevocationReceipt({ server: context.identity.signer, revocation, now: context.now() })
}

/** Whoever is neither the server, nor enrolled, nor client of a grant before its end is not resolved. */
async function keysOfSigner(
  context: ServiceContext,
  signerDid: string,
  fresh: boolean,
): Promise<readonly PublicKey[] | undefined> {
  if (signerDid === context.identity.did) return context.serverKeys
  if (!isDid(signerDid)) return undefined
  if (!(await isEnrolled(context, signerDid)) && !(await isClient(context, signerDid))) return undefined
  try {
    const { document, deactivated } = await context.resolver.resolve(signerDid, { fresh })
    return deactivated === true ? undefined : await keysOf(document, 'authentication')
  } catch (error) {
    if (error instanceof HandshakeError && error.code === 401) return undefined
    throw error
  }
}

async function keysOfStranger(did: string): Promise<readonly PublicKey[] | undefined> {
  const document = await documentOfStranger(did)
  return document && keysOf(document, 'authentication')
}

function isDid(text: string): boolean {
  try {
    return text.length <= LONGEST_DID && parseDid(text).did === text
  } catch (error) {
    if (error instanceof HandshakeError) return false
    throw error
  }
}

const isEnrolled = async (context: ServiceContext, did: string): Promise<boolean> =>
  (await context.users.find(did)) !== undefined

async function isClient(context: ServiceContext, did: string): Promise<boolean> {
  const operations = [{ op: 'list', prefix: GRANT_PREFIX, limit: 1 }] as const
  const { results } = await context.store.transact(clientPartition(did), operations, context.now())
  return (results[0] ?? []).length > 0
}

/** Whether anything of the signer's was ended, or is remembered to be. */
async function act(
  context: ServiceContext,
  { target, signer_did: signer, reason }: Revocation,
): Promise<boolean> {
  const why = { by: signer, reason: reason ?? '' }
  const enrolled = await isEnrolled(context, signer)
  if (target.kind === 'credential') {
    // The row lies in the signer's own partition: nobody reaches another user's credential.
    const taken = { userDid: signer, credentialId: target.id, ...why }
    if (enrolled) await revokeCredential(context, taken)
    return enrolled
  }
  if (await revokeOwnGrant(context, target.id, why)) return true
  return enrolled && (await revokeRequest(context, signer, target.id, why))
}

/** The user and the client of a grant may end it, and the server any. */
async function revokeOwnGrant(context: ServiceContext, grantId: string, why: Told): Promise<boolean> {
  const pointer = await pointerTo(context, grantId)
  if (pointer === undefined) return false
  const parties = [pointer.userDid, pointer.clientDid, context.identity.did]
  if (!parties.includes(why.by)) return false
  return (await markRevoked(context, pointer.partition, grantId, why)) !== undefined
}
