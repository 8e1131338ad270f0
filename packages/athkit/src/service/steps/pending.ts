import { HandshakeError, refuse } from '../../errors.ts'
import { createAuthorizationPending } from '../../messages/pending.ts'
import type { ServiceContext } from '../context.ts'
import { askPolicy } from '../decisions.ts'
import type { Answer, HandshakeState } from '../handshake-state.ts'
import { type QuestionAnswer, type QuestionRow, readQuestion } from '../question-rows.ts'
import { closeLapsed } from '../questions.ts'
import { isRevoked } from '../revocation/credential.ts'
import { decideScopes } from './result.ts'
import { answerOf, endsHandshake, type Step } from './step.ts'

/** Every 202 says when to come again (ATH-3.4). */
const RETRY_AFTER_SECONDS = 1

/** The 202 of a handshake whose user is being asked; never a receipt, so its clock is always the present one. */
export function pending(context: ServiceContext, { asking }: HandshakeState): Answer {
  if (asking === undefined) throw new Error('nobody is being asked')
  const { question, questionHash } = asking
  const body = createAuthorizationPending({
    requestId: question.request_id,
    confirmationRequestHash: questionHash,
    bindingCode: question.binding_code,
    expiresAt: question.expires_at,
    now: context.now(),
  })
  return { status: 202, body, retryAfter: RETRY_AFTER_SECONDS }
}

/** What has become of the question: still open, or the outcome, which is made now that somebody fetches it (ATH-3.6). */
export async function settle(context: ServiceContext, state: HandshakeState): Promise<Step> {
  try {
    return await settled(context, state)
  } catch (error) {
    const isOutcome = error instanceof HandshakeError && (endsHandshake(error) || error.code === 408)
    if (!isOutcome) throw error
    const now = context.now()
    const answer = answerOf(error, now)
    const m5 = state.m5 === undefined ? {} : { m5: { message: state.m5.message, answer } }
    return { state: { ...state, phase: 'ended', advancedAt: now, ...m5 }, answer, refusal: error }
  }
}

async function settled(context: ServiceContext, state: HandshakeState): Promise<Step> {
  const { asking, user, m5, m1 } = state
  if (asking === undefined || user === undefined || m5 === undefined) throw new Error('nobody is being asked')
  const requestId = asking.question.request_id
  if (await isRevoked(context, user.userDid, user.credentialId, requestId)) {
    throw refuse('credential_revoked', 'revoked while the user was asked', { rule: 'ATH-8', step: 'm8' })
  }
  const row = await question(context, state)
  if (row.state === 'open') return { state, answer: pending(context, state), waits: true }
  const answer = row.state === 'answered' ? row.answer : undefined
  if (answer === undefined) {
    throw refuse('confirmation_timeout', 'the user did not answer', { rule: 'ATH-6.3.3', step: 'm6' })
  }
  if (answer.at + context.timeouts.fetch <= context.now()) {
    throw refuse('handshake_timeout', 'nobody fetched what followed the answer', { rule: 'ATH-3.6' })
  }
  const policy = await askPolicy(context, m1.client_did, state.clientInfo)
  return decideScopes(
    context,
    { ...state, user, m5 },
    { policy, at: context.now(), confirmation: confirmed(answer) },
  )
}

/** The question as it stands; one whose deadline has passed is closed first, so that no late answer can be taken (ATH-6.3.3). */
async function question(context: ServiceContext, { asking, m1, user }: HandshakeState): Promise<QuestionRow> {
  const { request_id: requestId, expires_at: deadline } = asking?.question ?? {
    request_id: '',
    expires_at: 0,
  }
  for (;;) {
    const read = await readQuestion(context, user?.userDid ?? '', m1.client_did, requestId)
    const row = read.question
    if (row === undefined) {
      throw refuse('confirmation_timeout', 'the question is no more', { rule: 'ATH-6.3.3', step: 'm6' })
    }
    if (row.value.state !== 'open' || deadline > context.now()) return row.value
    await closeLapsed(context, { ...read, question: row })
  }
}

const confirmed = ({ approved, expiresAt, hash }: QuestionAnswer) => ({ approved, expiresAt, hash })
