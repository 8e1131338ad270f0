import { toBase64url } from '../../crypto/bytes.ts'
import { generateShare } from '../../crypto/ecdh.ts'
import type { JsonObject } from '../../crypto/json.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import {
  clientKeyOf,
  createHandshakeComplete,
  type EstablishedSession,
  grantEnd,
  type HandshakeMessages,
  type IdentityResult,
  receiveKeyExchange,
  type ScopeResult,
  verifyKeyExchange,
} from '../../handshake/index.ts'
import type { ServiceContext } from '../context.ts'
import { checkPolicyAgain } from '../decisions.ts'
import type { Completion, HandshakeState, UserOfHandshake } from '../handshake-state.ts'
import { withRefused } from '../receipts.ts'
import { useKey } from '../uses.ts'
import { answerOf, requireOwnKey, type Step } from './step.ts'

/**
 * m9a → m9b: shape, clock, algorithms, the client's signature, its share. A refusal ends nothing (ATH-9). The grant is committed
 * once the state is (`grant-commit.ts`), where revocation and expiry are judged again.
 *
 * @param receivedAt Unix seconds: a message that waited is judged by when it came (ATH-3.6)
 */
export async function exchangeKeys(
  context: ServiceContext,
  state: HandshakeState,
  message: JsonObject,
  receivedAt: number,
): Promise<Step> {
  requireOwnKey(context, state)
  try {
    return await exchanged(context, state, message, receivedAt)
  } catch (error) {
    if (!(error instanceof HandshakeError) || error.code >= 429) throw error
    const answer = answerOf(error, context.now())
    return { state: withRefused(state, { message, answer }), answer, refusal: error }
  }
}

/** What the steps before have come to. */
interface Before {
  readonly user: UserOfHandshake
  readonly handshakeHash: string
  readonly scopeRequestHash: string
  readonly messages: Omit<HandshakeMessages, 'm9a'>
}

function before({ m1, m2, m3, m5, user, handshakeHash, scopeRequestHash }: HandshakeState): Before {
  const [m4, m8] = [m3?.answer?.body, m5?.answer?.body]
  if (!m3 || !m4 || !m5 || !m8 || !user || handshakeHash === undefined || scopeRequestHash === undefined) {
    throw new Error('m9a before m8')
  }
  const messages = {
    m1,
    m2,
    m3: m3.message,
    m4: m4 as IdentityResult,
    m5: m5.message,
    m8: m8 as ScopeResult,
  }
  return { user, handshakeHash, scopeRequestHash, messages }
}

async function exchanged(
  context: ServiceContext,
  state: HandshakeState,
  message: JsonObject,
  receivedAt: number,
): Promise<Step> {
  const { audience, m1, m2 } = state
  const { user, handshakeHash, scopeRequestHash, messages: earlier } = before(state)
  const m9a = receiveKeyExchange(message, receivedAt)
  const exchange = await verifyKeyExchange(m9a, {
    clientKey: await clientKeyOf(m1),
    audience,
    handshakeHash,
    scopeRequestHash,
    capabilities: m2.capabilities,
  })
  const messages = { ...earlier, m9a }
  const now = context.now()
  if (user.expiresAt <= now) {
    throw refuse('credential_expired', 'the credential ended before m9a', { rule: 'ATH-6.2.1', step: 'm9a' })
  }
  if (grantEnd(messages.m8) <= now) {
    throw refuse('session_expired', 'the grant ended before m9a', { rule: 'ATH-6.4.2', step: 'm9a' })
  }
  // What policy has come to deny since m8 is not granted any more.
  await checkPolicyAgain(context, m1.client_did, state.clientInfo, messages.m8.scopes_granted)
  const { message: m9b, ...established } = await createHandshakeComplete({
    server: context.identity,
    audience,
    userDid: user.userDid,
    messages,
    exchange,
    share: await generateShare(exchange.alg),
    tokenTtl: context.timeouts.tokenTtl,
    now,
  })
  const answer = { status: 200, body: m9b }
  const completion = await completionOf(context, state, user, messages.m8, established, exchange.cipherSuite)
  return {
    state: { ...state, phase: 'complete', advancedAt: now, m9a: { message, answer }, completion },
    answer,
  }
}

async function completionOf(
  context: ServiceContext,
  { id, m1, m2, audience, asking, clientInfo }: HandshakeState,
  user: UserOfHandshake,
  m8: ScopeResult,
  { claims, secrets, transcript }: EstablishedSession,
  cipher: string,
): Promise<Completion> {
  const now = claims.iat
  const { userDid, credentialId, account } = user
  const parties = { clientDid: m1.client_did, userDid, audience }
  const epoch = {
    epoch: 0,
    c2s: toBase64url(secrets.c2s),
    s2c: toBase64url(secrets.s2c),
    rekey: toBase64url(secrets.rekey),
    createdAt: now,
  }
  return {
    grant: {
      id: claims.jti,
      handshakeId: id,
      requestId: asking?.question.request_id,
      ...parties,
      clientInfo,
      account,
      credentialId,
      credentialExpiresAt: user.expiresAt,
      clientKey: (await clientKeyOf(m1)).thumbprint,
      credentialKey: user.key,
      scopes: m8.scopes_granted,
      restrictions: m8.restrictions ?? {},
      grantedAt: m8.timestamp,
      expiresAt: grantEnd(m8),
      provisionalUntil: now + context.timeouts.provisional,
      state: 'provisional',
      use: user.maxUses === undefined ? undefined : { key: useKey(credentialId, id), until: user.expiresAt },
    },
    session: {
      sid: claims.cnf.ath_sid,
      ...parties,
      cipher,
      capabilities: m2.capabilities,
      highestEpoch: 0,
      epochs: [epoch],
      transcript: toBase64url(transcript),
      receiptIn: id,
    },
  }
}
