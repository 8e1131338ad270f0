import { hashMessage } from '../../crypto/jcs.ts'
import type { JsonObject } from '../../crypto/json.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import {
  clientKeyOf,
  handshakeHash,
  receiveScopeRequest,
  type ScopeRequest,
  type VerifiedCredential,
  verifyScopeRequest,
  verifyUserAuthorization,
} from '../../handshake/index.ts'
import type { ServiceContext } from '../context.ts'
import { askPolicy, decideNow, mayConfirmWithoutUser, restrictionsFor } from '../decisions.ts'
import type { HandshakeState, UserOfHandshake } from '../handshake-state.ts'
import { documentOfStranger, enrolledUser, withCurrentKeys } from '../parties.ts'
import type { PolicyDecision } from '../policy/index.ts'
import { ask, hashOfQuestion } from '../questions.ts'
import { isRevoked } from '../revocation/credential.ts'
import { countUses } from '../uses.ts'
import { pending } from './pending.ts'
import { decideScopes } from './result.ts'
import { answerOf, endsHandshake, requireOwnKey, type Step } from './step.ts'

/**
 * m5: shape, clock and scopes; the credential's checks, then the client's signature (ATH-6.2.3); what could be granted. Then m8 at
 * once, when nothing could or the user need not be asked, and otherwise the question (ATH-6.3). A 401 or 403 ends the handshake.
 *
 * @param asked what the operator has just said of the agent, in the same flight
 */
export async function requestScopes(
  context: ServiceContext,
  state: HandshakeState,
  message: JsonObject,
  asked?: PolicyDecision,
): Promise<Step> {
  // Outside the `try`: a clock that is off ends the handshake as well, a shape that is off does not, and both are refusals.
  try {
    return await requested(context, state, message, asked)
  } catch (error) {
    if (!(error instanceof HandshakeError && endsHandshake(error))) throw error
    const now = context.now()
    const answer = answerOf(error, now)
    const ended: HandshakeState = { ...state, phase: 'ended', advancedAt: now, m5: { message, answer } }
    return { state: ended, answer, refusal: error }
  }
}

async function requested(
  context: ServiceContext,
  before: HandshakeState,
  message: JsonObject,
  asked: PolicyDecision | undefined,
): Promise<Step> {
  const request = receiveScopeRequest(message, context.now())
  requireOwnKey(context, before)
  const state = await withHashes(before, request)
  const { credential, user } = await judgeCredential(context, state, request)
  await verifyScopeRequest(request, {
    clientKey: await clientKeyOf(state.m1),
    audience: state.audience,
    handshakeHash: state.handshakeHash,
  })
  const policy = asked ?? (await askPolicy(context, state.m1.client_did, state.clientInfo))
  const now = context.now()
  const could = decideNow(context, { request, credential, policy }, now)
  const next = { ...state, user, m5: { message } }
  if (could.granted.length === 0) return decideScopes(context, next, { policy, could, at: now })
  if (mayConfirmWithoutUser(context, policy, could.granted, state.audience, credential.audience)) {
    const of = { handshakeId: state.id, clientDid: state.m1.client_did, userDid: credential.userDid }
    const skipped = { type: 'confirmation_skipped', scopes: could.granted, ...of } as const
    const step = await decideScopes(context, next, { policy, could, at: now })
    return { ...step, events: [skipped, ...(step.events ?? [])] }
  }
  return askUser(context, next, { request, credential, policy, could })
}

type Hashed = HandshakeState & { readonly handshakeHash: string; readonly scopeRequestHash: string }

async function withHashes(state: HandshakeState, request: ScopeRequest): Promise<Hashed> {
  const m3 = state.m3?.message
  if (m3 === undefined) throw new Error('m5 before m3')
  const scopeRequestHash = await hashMessage(request)
  return { ...state, scopeRequestHash, handshakeHash: await handshakeHash(state.m1, state.m2, m3) }
}

/** The checks of ATH-6.2.3 that concern the credential, and whose account it leads to. */
async function judgeCredential(
  context: ServiceContext,
  state: HandshakeState,
  request: ScopeRequest,
): Promise<{ readonly credential: VerifiedCredential; readonly user: UserOfHandshake }> {
  const clientDid = state.m1.client_did
  let account: string | undefined
  const verified = withCurrentKeys('credential_invalid', (fresh) =>
    verifyUserAuthorization(request.user_authorization.credential, {
      now: context.now(),
      clientDid,
      serverNames: [context.identity.did, ...context.origins],
      enrolled: async (userDid) => {
        const user = await enrolledUser(context, userDid, fresh)
        account = user?.account
        return user?.document ?? documentOfStranger(userDid)
      },
      revoked: (userDid, credentialId) => isRevoked(context, userDid, credentialId),
      uses: (userDid, credentialId) => countUses(context, { clientDid, userDid, credentialId }),
    }),
  )
  const credential = await verified.catch((error: unknown) => {
    // Whoever is not enrolled hears of nothing else that is wrong (ATH-6.2.3).
    throw account === undefined && error instanceof HandshakeError && error.code === 401
      ? notEnrolled()
      : error
  })
  if (account === undefined) throw notEnrolled()
  const { credentialId, userDid, scopes, expiresAt, restrictions, maxUses, key } = credential
  const kept = { credentialId, userDid, scopes, expiresAt, restrictions, maxUses }
  return { credential, user: { ...kept, account, key: key.thumbprint } }
}

const notEnrolled = () =>
  refuse('credential_invalid', 'the user is not enrolled', { rule: 'ATH-4.7', step: 'm5' })

interface Askable {
  readonly request: ScopeRequest
  readonly credential: VerifiedCredential
  readonly policy: PolicyDecision
  readonly could: ReturnType<typeof decideNow>
}

/** m6, and the 202 that tells the client of it (ATH-3.4). A question that may not be asked now is a 429 and no step. */
async function askUser(
  context: ServiceContext,
  state: Hashed & { readonly m5: { readonly message: JsonObject } },
  { request, credential, policy, could }: Askable,
): Promise<Step> {
  const { id: handshakeId, clientInfo, audience, scopeRequestHash, m1 } = state
  const question = await ask(context, {
    handshakeId,
    clientDid: m1.client_did,
    clientInfo,
    userDid: credential.userDid,
    audience,
    credentialId: credential.credentialId,
    credentialIssuedAt: credential.issuedAt,
    scopeRequestHash,
    scopes: could.granted,
    context: request.context ?? undefined,
    ttl: could.ttl,
    restrictions: could.restrictions,
  })
  const restrictions = restrictionsFor(context, policy, could.granted)
  if (restrictions === 'denied') throw new Error('asked for what cannot be granted')
  const asking = { question, questionHash: await hashOfQuestion(question), restrictions }
  const next: HandshakeState = { ...state, phase: 'asking', advancedAt: context.now(), asking }
  return { state: next, answer: pending(context, next), waits: true, question }
}
