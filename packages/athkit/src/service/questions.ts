import { hash } from '../crypto/jcs.ts'
import { randomId, randomInteger } from '../crypto/random.ts'
import { refuse } from '../errors.ts'
import { type ConfirmationRequest, createConfirmationRequest } from '../handshake/index.ts'
import { createInboxListing } from '../messages/inbox.ts'
import type { ServiceContext } from './context.ts'
import type { ServiceEvent } from './events.ts'
import {
  type AskedRow,
  type OpenQuestion,
  type QuestionAnswer,
  type QuestionRow,
  type QuestionRows,
  readQuestion,
  writeQuestion,
} from './question-rows.ts'
import { pointerPartition, userPartition } from './rows.ts'

/** What is asked, and for whom. */
export interface QuestionInput
  extends Pick<
    Parameters<typeof createConfirmationRequest>[0],
    | 'clientDid'
    | 'clientInfo'
    | 'userDid'
    | 'audience'
    | 'credentialId'
    | 'scopes'
    | 'context'
    | 'ttl'
    | 'restrictions'
  > {
  readonly handshakeId: string
  readonly scopeRequestHash: string
  /** `iat` of the credential: a later one than a denial lifts the wait (ATH-6.3.1). */
  readonly credentialIssuedAt: number | undefined
}

/**
 * Opens a question (ATH-6.3.1): one per (user, client), 50 per user, none while the pair has to wait. The same handshake asking the
 * same again finds its question.
 *
 * @throws HandshakeError `rate_limited` with `Retry-After`, `message_too_large`; nothing was written then
 */
export async function ask(context: ServiceContext, input: QuestionInput): Promise<ConfirmationRequest> {
  const { userDid, clientDid } = input
  for (;;) {
    const now = context.now()
    const requestId = randomId('req_')
    const read = await readQuestion(context, userDid, clientDid, requestId)
    const mine = await ownQuestion(context, input, read)
    if (mine !== undefined) return mine
    const asked = lapsed(context, read.asked.value, now)
    checkPair(asked, input, now)
    const asking = read.asking.value.filter(({ expiresAt }) => expiresAt > now)
    checkUser(context, asking, now)

    const question = await makeQuestion(context, input, requestId, now)
    checkSize(question)
    await point(context, input, question)
    const open = { requestId, expiresAt: question.expires_at }
    const next = {
      question: { question, handshakeId: input.handshakeId, clientDid, state: 'open' } satisfies QuestionRow,
      asked: {
        ...asked,
        open: { ...open, handshakeId: input.handshakeId, scopeRequest: input.scopeRequestHash },
      },
      asking: [...asking, open],
    }
    const { handshakeId } = input
    const event = { type: 'confirmation_sent', handshakeId, clientDid, requestId, userDid } as const
    if (await writeQuestion(context, userDid, read, next, event)) return question
  }
}

/** Closes a question with the user's answer, and tells of it; false when somebody else wrote in between. */
export function closeAnswered(
  context: ServiceContext,
  read: QuestionRows & { readonly question: NonNullable<QuestionRows['question']> },
  answer: QuestionAnswer,
): Promise<boolean> {
  const { open: _, ...asked } = read.asked.value
  const after =
    answer.approved.length > 0 ? { failures: 0, failedAt: 0, until: 0 } : failed(context, asked, answer.at)
  const { approved } = answer
  const event = { type: 'confirmation_answered', approved, ...partiesOf(read.question.value) } as const
  return close(context, read, { ...read.question.value, state: 'answered', answer }, after, event)
}

/** Closes a question that nobody answered in time, and tells of it; false when somebody else wrote in between. */
export function closeLapsed(
  context: ServiceContext,
  read: QuestionRows & { readonly question: NonNullable<QuestionRows['question']> },
): Promise<boolean> {
  const asked = lapsed(context, read.asked.value, context.now())
  const event = { type: 'confirmation_lapsed', ...partiesOf(read.question.value) } as const
  return close(context, read, { ...read.question.value, state: 'lapsed' }, asked, event)
}

const partiesOf = ({ question, clientDid }: QuestionRow) => ({
  requestId: question.request_id,
  userDid: question.user_did,
  clientDid,
})

async function close(
  context: ServiceContext,
  read: QuestionRows,
  question: QuestionRow,
  asked: AskedRow,
  event: ServiceEvent,
): Promise<boolean> {
  const { request_id, user_did } = question.question
  const now = context.now()
  const asking = read.asking.value.filter(
    ({ requestId, expiresAt }) => requestId !== request_id && expiresAt > now,
  )
  const closed = await writeQuestion(context, user_did, read, { question, asked, asking }, event)
  if (closed) context.emit(event)
  return closed
}

/** The pair's last question, if nobody answered it in time, counts as a failure from its deadline on. */
function lapsed(context: ServiceContext, asked: AskedRow, now: number): AskedRow {
  const { open, ...rest } = asked
  if (open === undefined || open.expiresAt > now) return asked
  return failed(context, rest, open.expiresAt)
}

const MOST_DOUBLINGS = 6

/** 1, 2, 4 … 64 times the first wait (ATH-6.3.1). */
function failed(context: ServiceContext, asked: AskedRow, at: number): AskedRow {
  const failures = asked.failures + 1
  const wait = context.timeouts.denialBackoff * 2 ** Math.min(failures - 1, MOST_DOUBLINGS)
  return { failures, failedAt: at, until: at + wait }
}

function checkPair({ open, until, failedAt }: AskedRow, input: QuestionInput, now: number): void {
  if (open !== undefined) throw tooMany('a question of this agent is open', open.expiresAt - now)
  const { credentialIssuedAt: issued } = input
  if (until > now && !(issued !== undefined && issued > failedAt)) {
    throw tooMany('the user denied this agent, or did not answer it', until - now)
  }
}

function checkUser(context: ServiceContext, asking: readonly OpenQuestion[], now: number): void {
  if (asking.length < context.limits.questionsPerUser) return
  const first = Math.min(...asking.map(({ expiresAt }) => expiresAt))
  throw tooMany('too many questions are open for this user', first - now)
}

/** After a crash between the question and the handshake's own state, the question is there already. */
async function ownQuestion(
  context: ServiceContext,
  input: QuestionInput,
  read: QuestionRows,
): Promise<ConfirmationRequest | undefined> {
  const { open } = read.asked.value
  if (open?.handshakeId !== input.handshakeId || open.scopeRequest !== input.scopeRequestHash)
    return undefined
  const { question } = await readQuestion(context, input.userDid, input.clientDid, open.requestId)
  return question?.value.question
}

async function makeQuestion(
  context: ServiceContext,
  input: QuestionInput,
  requestId: string,
  now: number,
): Promise<ConfirmationRequest> {
  return createConfirmationRequest({
    ...input,
    server: context.identity,
    requestId,
    scopeDescriptions: new Map([...context.scopes].map(([scope, { description }]) => [scope, description])),
    bindingCode: String(randomInteger(100)).padStart(2, '0'),
    expiresAt: now + context.timeouts.confirm,
    now,
  })
}

/** So that an answer finds its question by the `request_id` alone. */
async function point(
  context: ServiceContext,
  input: QuestionInput,
  question: ConfirmationRequest,
): Promise<void> {
  const { handshakeId, clientDid, userDid } = input
  const value = JSON.stringify({ partition: userPartition(userDid), handshakeId, clientDid, userDid })
  const { fetch, remember } = context.timeouts
  await context.store.transact(
    pointerPartition('request', question.request_id),
    [{ op: 'put', key: 'at', value, expiresAt: question.expires_at + fetch + remember }],
    context.now(),
  )
}

/** What no inbox can show cannot be asked (ATH-1.1). */
function checkSize(question: ConfirmationRequest): void {
  if (createInboxListing([question]).pending.length > 0) return
  throw refuse('message_too_large', 'the question about it would be too large', {
    rule: 'ATH-1.1',
    step: 'm5',
  })
}

export const hashOfQuestion = async (question: ConfirmationRequest): Promise<string> => hash(question)

const tooMany = (reason: string, seconds: number) =>
  refuse('rate_limited', reason, { rule: 'ATH-6.3.1', step: 'm5', retryAfter: Math.max(1, seconds) })
