import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { isObject, without } from '../crypto/shape.ts'
import { refuse } from '../errors.ts'
import { readConfirmationResponse, verifyConfirmationSignature } from '../handshake/index.ts'
import { type ConfirmationReceipt, createConfirmationReceipt } from '../messages/inbox.ts'
import type { ServiceContext } from './context.ts'
import { handshakeTopic, userTopic } from './hub.ts'
import { keysOfUser, withCurrentKeys } from './parties.ts'
import { type QuestionRow, type QuestionRows, readQuestion } from './question-rows.ts'
import { closeAnswered } from './questions.ts'
import { type Pointer, pointerPartition } from './rows.ts'

/** Longer than any that is given out here. */
const LONGEST_ID = 64

/**
 * m7 at the service (ATH-6.3.2, ATH-6.3.3): the question, the user's signature before anything in the answer is believed, whether it
 * was answered already, and then clock, deadline and scopes. Every refusal leaves the question open.
 *
 * @throws HandshakeError `confirmation_unknown`, `malformed_message`, `signature_invalid`, `already_decided`, `timestamp_skew`,
 *   `confirmation_timeout`, `scopes_invalid`
 */
export async function receiveAnswer(
  context: ServiceContext,
  requestId: string,
  message: Json,
): Promise<ConfirmationReceipt> {
  const { userDid, clientDid } = await find(context, requestId)
  let isVerified = false
  for (;;) {
    const read = await readQuestion(context, userDid, clientDid, requestId)
    const row = read.question
    if (row === undefined) throw unknown()
    if (!isVerified) {
      await withCurrentKeys('signature_invalid', async (fresh) => {
        const userKeys = await keysOfUser(context, userDid, 'authentication', fresh)
        await verifyConfirmationSignature(message, { request: row.value.question, userKeys })
      })
    }
    isVerified = true
    if (await take(context, { ...read, question: row }, message as JsonObject)) {
      return createConfirmationReceipt(requestId, context.now())
    }
  }
}

async function find(
  context: ServiceContext,
  requestId: string,
): Promise<{ userDid: string; clientDid: string }> {
  if (requestId === '' || requestId.length > LONGEST_ID) throw unknown()
  const { results } = await context.store.transact(
    pointerPartition('request', requestId),
    [{ op: 'get', key: 'at' }],
    context.now(),
  )
  const [row] = results
  if (row === undefined) throw unknown()
  const { userDid = '', clientDid = '' } = JSON.parse(row.value) as Pointer
  return { userDid, clientDid }
}

type Read = QuestionRows & { readonly question: NonNullable<QuestionRows['question']> }

/** Whether the answer counts now, or did before; false when somebody else wrote in between. */
async function take(context: ServiceContext, read: Read, message: JsonObject): Promise<boolean> {
  const { value: row } = read.question
  const bare = await hash(without(message, 'signature'))
  if (row.state === 'answered') {
    if (row.answer?.bare === bare) return true
    throw whyNot(row, message)
  }
  const now = context.now()
  const {
    approved,
    expiresAt,
    hash: named,
  } = await readConfirmationResponse(message, {
    request: row.question,
    now,
  })
  if (row.state === 'lapsed') {
    throw refuse('confirmation_timeout', 'the client was told so already', { rule: 'ATH-6.3.3', step: 'm7' })
  }
  const answer = { bare, hash: named, approved, at: now, ...(expiresAt === undefined ? {} : { expiresAt }) }
  if (!(await closeAnswered(context, read, answer))) return false
  announce(context, row)
  return true
}

/** Another answer to a question that was answered: one that names another question is unknown, or malformed, first. */
function whyNot({ question }: QuestionRow, message: JsonObject): Error {
  const named = isObject(message) ? message.request_id : undefined
  if (typeof named === 'string' && named !== question.request_id) return unknown()
  return refuse('already_decided', 'the question was answered in another way', {
    rule: 'ATH-6.3.3',
    step: 'm7',
  })
}

function announce(context: ServiceContext, { question, handshakeId }: QuestionRow): void {
  context.hub.wake(handshakeTopic(handshakeId))
  context.hub.wake(userTopic(question.user_did))
}

const unknown = () => refuse('confirmation_unknown', 'no such question', { rule: 'ATH-6.3.3', step: 'm7' })
