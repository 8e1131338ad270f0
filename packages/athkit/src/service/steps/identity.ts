import type { JsonObject } from '../../crypto/json.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import {
  clientKeyOf,
  createIdentityFailure,
  createIdentityResult,
  type IdentityProof,
  receiveIdentityProof,
  verifyIdentityProof,
} from '../../handshake/index.ts'
import { checkAgentCredentials } from '../agent-credentials.ts'
import { type ApprovalRow, approvalIn, GET_APPROVAL } from '../agents/approvals.ts'
import { clientInfoOf } from '../client-info.ts'
import type { ServiceContext } from '../context.ts'
import { askPolicy, askPolicyOf, requiresConfirmation } from '../decisions.ts'
import type { HandshakeState } from '../handshake-state.ts'
import type { PolicyDecision } from '../policy/index.ts'
import { clientPartition } from '../revocation/index-rows.ts'
import { endsHandshake, type Step } from './step.ts'

/**
 * m3 → m4: shape, clock, the client's signature; that its m1 is used here for the first time on any node; the credentials of third
 * parties; the operator's policy. A 401 or 403 is a failed m4 and ends the handshake (ATH-6.1.7).
 */
export async function proveIdentity(
  context: ServiceContext,
  state: HandshakeState,
  message: JsonObject,
): Promise<Step> {
  const { id: handshakeId, started, m1 } = state
  const event = { handshakeId, clientDid: m1.client_did, started }
  let isProven = false
  let admitted: Admitted
  try {
    const proven = await checkProof(context, state, message)
    isProven = true
    admitted = await checkAdmission(context, state, proven)
  } catch (error) {
    if (!(error instanceof HandshakeError && endsHandshake(error))) throw error
    const now = context.now()
    const answer = { status: error.code, body: createIdentityFailure(error, now) }
    const ended: HandshakeState = { ...state, phase: 'ended', advancedAt: now, m3: { message, answer } }
    const { error: name, reason, rule } = error
    const refused = { type: 'identity_refused', error: name, reason, rule, ...event } as const
    return { state: ended, answer, refusal: error, ...(isProven ? { events: [refused] } : {}) }
  }
  const now = context.now()
  const metadata = {
    scopesSupported: [...context.scopes.keys()],
    tokenMaxTtl: context.tokenMaxTtl,
    requireUserConfirmation: requiresConfirmation(context, admitted.policy),
  }
  const answer = { status: 200, body: createIdentityResult(metadata, now) }
  const { clientInfo } = admitted
  const next: HandshakeState = {
    ...state,
    clientInfo,
    phase: 'scopes',
    advancedAt: now,
    m3: { message, answer },
  }
  return {
    state: next,
    answer,
    events: [{ type: 'identity_proven', ...event }],
    policy: admitted.policy,
  }
}

/** Who has proven themselves, and what the operator has said of them. */
interface Proven {
  readonly proof: IdentityProof
  readonly approval: ApprovalRow | undefined
}

/** That they hold the key, and that this m1 was not used before: replays are counted and not written (ATH-10). */
async function checkProof(
  context: ServiceContext,
  state: HandshakeState,
  message: JsonObject,
): Promise<Proven> {
  const proof = receiveIdentityProof(message, context.now())
  const clientKey = await clientKeyOf(state.m1)
  await verifyIdentityProof(proof, { clientKey, response: state.m2 })
  context.admission.admitAgent(state.m1.client_did, state.started.address)
  context.admission.closed(state.id)
  return { proof, approval: await takeNonce(context, state) }
}

interface Admitted {
  readonly policy: PolicyDecision
  readonly clientInfo: JsonObject
}

/** Whether they are let in, and what is known about them by now. */
async function checkAdmission(
  context: ServiceContext,
  state: HandshakeState,
  { proof, approval }: Proven,
): Promise<Admitted> {
  const did = state.m1.client_did
  const shown = await checkAgentCredentials(context, did, proof.credentials ?? [])
  const info = await clientInfoOf(context, did, { ...state.clientInfo, ...shown })
  // Whoever was asked meanwhile may have taken long, and the operator may have said something else.
  const isOld = context.agentCredentials !== undefined || context.clientInfo !== undefined
  const policy = isOld
    ? await askPolicy(context, did, info)
    : await askPolicyOf(context, { did, info, approval })
  return { clientInfo: info, policy }
}

const SKEW_SECONDS = 300

/**
 * The nonce of m1, across all nodes and durably (ATH-6.1.4); only now, so that nobody can use up a nonce without the client's key.
 * It is kept for as long as another m3 could come of the same m1.
 *
 * @returns what is read beside it: the operator's word on this client
 */
async function takeNonce(
  context: ServiceContext,
  { id, m1 }: HandshakeState,
): Promise<ApprovalRow | undefined> {
  const expiresAt = m1.timestamp + 2 * SKEW_SECONDS + context.timeouts.handshake
  const { outcome, results } = await context.store.transact(
    clientPartition(m1.client_did),
    [GET_APPROVAL, { op: 'put', key: `m1:${m1.nonce}`, value: id, if: 'absent', expiresAt }],
    context.now(),
  )
  const [approval, used] = results
  if (outcome === 'done' || used?.row?.value === id) return approvalIn(approval)
  throw refuse('handshake_replayed', 'the nonce was used on this or another node', {
    rule: 'ATH-6.1.4',
    step: 'm3',
  })
}
