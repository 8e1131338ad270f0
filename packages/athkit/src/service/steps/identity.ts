import { hash } from '../../crypto/jcs.ts'
import type { JsonObject } from '../../crypto/json.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import {
  clientKeyOf,
  createIdentityFailure,
  createIdentityResult,
  receiveIdentityProof,
  verifyIdentityProof,
} from '../../handshake/index.ts'
import { checkAgentCredentials } from '../agent-credentials.ts'
import { clientInfoOf } from '../client-info.ts'
import type { ServiceContext } from '../context.ts'
import { askPolicy, requiresConfirmation } from '../decisions.ts'
import type { HandshakeState } from '../handshake-state.ts'
import type { PolicyDecision } from '../policy/index.ts'
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
    const proof = await checkProof(context, state, message)
    isProven = true
    admitted = await checkAdmission(context, state, proof)
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

/** That they hold the key, and that this m1 was not used before: replays are counted and not written (ATH-10). */
async function checkProof(context: ServiceContext, state: HandshakeState, message: JsonObject) {
  const proof = receiveIdentityProof(message, context.now())
  const clientKey = await clientKeyOf(state.m1)
  await verifyIdentityProof(proof, { clientKey, response: state.m2 })
  context.admission.admitAgent(state.m1.client_did, state.started.address)
  context.admission.closed(state.id)
  await takeNonce(context, state)
  return proof
}

interface Admitted {
  readonly policy: PolicyDecision
  readonly clientInfo: JsonObject
}

/** Whether they are let in, and what is known about them by now. */
async function checkAdmission(
  context: ServiceContext,
  state: HandshakeState,
  proof: Awaited<ReturnType<typeof checkProof>>,
): Promise<Admitted> {
  const { client_did } = state.m1
  const shown = await checkAgentCredentials(context, client_did, proof.credentials ?? [])
  const clientInfo = await clientInfoOf(context, client_did, { ...state.clientInfo, ...shown })
  return { clientInfo, policy: await askPolicy(context, client_did, clientInfo) }
}

const SKEW_SECONDS = 300

/**
 * The nonce of m1, across all nodes and durably (ATH-6.1.4); only now, so that nobody can use up a nonce without the client's key.
 * It is kept for as long as another m3 could come of the same m1.
 */
async function takeNonce(context: ServiceContext, { id, m1 }: HandshakeState): Promise<void> {
  const { outcome, results } = await context.store.transact(
    `m1:${await hash([m1.client_did, m1.nonce])}`,
    [
      {
        op: 'put',
        key: 'used',
        value: id,
        if: 'absent',
        expiresAt: m1.timestamp + 2 * SKEW_SECONDS + context.timeouts.handshake,
      },
    ],
    context.now(),
  )
  if (outcome === 'done' || results[0]?.row?.value === id) return
  throw refuse('handshake_replayed', 'the nonce was used on this or another node', {
    rule: 'ATH-6.1.4',
    step: 'm3',
  })
}
