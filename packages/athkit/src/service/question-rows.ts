import type { ConfirmationRequest } from '../handshake/index.ts'
import type { Get, Operation, Row } from '../store/store.ts'
import type { ServiceContext } from './context.ts'
import type { ServiceEvent } from './events.ts'
import { write } from './record.ts'
import { userPartition } from './rows.ts'

/** Row `question:REQUEST` of a user: m6, and what became of it. */
export interface QuestionRow {
  readonly question: ConfirmationRequest
  readonly handshakeId: string
  readonly clientDid: string
  readonly state: 'open' | 'answered' | 'lapsed'
  readonly answer?: QuestionAnswer
}

export interface QuestionAnswer {
  /** H(m7 without its signature): by it two answers are told apart (ATH-1.3). */
  readonly bare: string
  /** H(m7), for m8. */
  readonly hash: string
  readonly approved: readonly string[]
  /** Unix seconds: the end of the grant, where the user set one. */
  readonly expiresAt?: number
  /** Unix seconds of the answer. */
  readonly at: number
}

/** Row `asked:CLIENT` of a user: the open question of the pair, and how long it has to wait for another (ATH-6.3.1). */
export interface AskedRow {
  readonly open?: OpenQuestion & { readonly handshakeId: string; readonly scopeRequest: string }
  /** Denials and lapses since the last approval. */
  readonly failures: number
  /** Unix seconds of the latest of them, and until when nothing is asked. */
  readonly failedAt: number
  readonly until: number
}

/** Row `asking` of a user: what is open, over all clients (ATH-6.3.1). */
export type AskingRow = readonly OpenQuestion[]

export interface OpenQuestion {
  readonly requestId: string
  /** Unix seconds. */
  readonly expiresAt: number
}

export const questionKey = (requestId: string) => `question:${requestId}`
export const askedKey = (clientDid: string) => `asked:${clientDid}`
export const QUESTION_PREFIX = 'question:'
export const ASKING_KEY = 'asking'

/** A row, parsed, and the version that a write of it names. */
export interface Versioned<T> {
  readonly value: T
  readonly version: number | 'absent'
}

export interface QuestionRows {
  readonly question: Versioned<QuestionRow> | undefined
  readonly asked: Versioned<AskedRow>
  readonly asking: Versioned<AskingRow>
}

const NEVER_ASKED: AskedRow = { failures: 0, failedAt: 0, until: 0 }

/** Everything that one question touches, in one round trip. */
export async function readQuestion(
  context: ServiceContext,
  userDid: string,
  clientDid: string,
  requestId: string,
): Promise<QuestionRows> {
  const operations: Get[] = [questionKey(requestId), askedKey(clientDid), ASKING_KEY].map((key) => ({
    op: 'get',
    key,
  }))
  const { results } = await context.store.transact(userPartition(userDid), operations, context.now())
  const [question, asked, asking] = results
  return {
    question: question === undefined ? undefined : parsed<QuestionRow>(question),
    asked: asked === undefined ? { value: NEVER_ASKED, version: 'absent' } : parsed<AskedRow>(asked),
    asking: asking === undefined ? { value: [], version: 'absent' } : parsed<AskingRow>(asking),
  }
}

const parsed = <T>(row: Row): Versioned<T> => ({ value: JSON.parse(row.value) as T, version: row.version })

/** A denial is remembered for a month, and with it how long the next wait is. */
const ASKED_KEPT_SECONDS = 30 * 86_400

/**
 * Replaces all that was read, in its versions; false when somebody else was first.
 *
 * @param event what it means, written down with it
 */
export async function writeQuestion(
  context: ServiceContext,
  userDid: string,
  read: QuestionRows,
  next: { readonly question: QuestionRow; readonly asked: AskedRow; readonly asking: AskingRow },
  event: ServiceEvent,
): Promise<boolean> {
  const { question } = next.question
  const now = context.now()
  const { fetch, remember } = context.timeouts
  const put = (key: string, value: unknown, version: number | 'absent', expiresAt: number): Operation => ({
    op: 'put',
    key,
    value: JSON.stringify(value),
    if: version,
    expiresAt,
  })
  const latest = Math.max(question.expires_at, ...next.asking.map(({ expiresAt }) => expiresAt))
  const { outcome } = await write(
    context,
    userPartition(userDid),
    [
      put(
        questionKey(question.request_id),
        next.question,
        read.question?.version ?? 'absent',
        question.expires_at + fetch + remember,
      ),
      put(askedKey(next.question.clientDid), next.asked, read.asked.version, now + ASKED_KEPT_SECONDS),
      put(ASKING_KEY, next.asking, read.asking.version, latest + 1),
    ],
    [event],
  )
  return outcome === 'done'
}
