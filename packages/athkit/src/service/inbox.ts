import { hash } from '../crypto/jcs.ts'
import { keysOf } from '../did/document.ts'
import { refuse } from '../errors.ts'
import type { ConfirmationRequest } from '../handshake/index.ts'
import { type VerifiedWalletToken, verifyWalletToken } from '../messages/wallet-token.ts'
import type { Get } from '../store/store.ts'
import type { ServiceContext } from './context.ts'
import { type Listener, LOOK_AGAIN_MS, userTopic } from './hub.ts'
import { documentOfStranger, enrolledUser, withCurrentKeys } from './parties.ts'
import { QUESTION_PREFIX, type QuestionRow } from './question-rows.ts'
import { revokedKey, revokedRequestKey } from './revocation/index-rows.ts'
import { userPartition } from './rows.ts'

const notEnrolled = () =>
  refuse('token_invalid', 'wallet token: the user is not enrolled', { rule: 'ATH-6.3.5' })

const BEARER = /^Bearer +([A-Za-z0-9_.-]+)$/i

/**
 * The user behind `Authorization` of the inbox and grants endpoints (ATH-6.3.5); the token is good once.
 *
 * @throws HandshakeError `token_invalid`; `resolver_unavailable` for an enrolled DID
 */
export function authenticateWallet(
  context: ServiceContext,
  authorization: string | null,
): Promise<VerifiedWalletToken> {
  const token = BEARER.exec(authorization ?? '')?.[1]
  if (token === undefined) throw refuse('token_invalid', 'no wallet token', { rule: 'ATH-6.3.5' })
  let isEnrolled = false
  return withCurrentKeys('token_invalid', (fresh) =>
    verifyWalletToken(token, {
      now: context.now(),
      origins: context.origins,
      // Whoever is not is refused where a token that was used before is, after as much work.
      enrolled: () => true,
      keysOf: async (userDid) => {
        const user = await enrolledUser(context, userDid, fresh)
        isEnrolled = user !== undefined
        const document = user?.document ?? (await documentOfStranger(userDid))
        return document === undefined ? [] : keysOf(document, 'authentication')
      },
      takeJti: async (userDid, jti, exp) => {
        if (!isEnrolled) throw notEnrolled()
        const { outcome } = await context.store.transact(
          userPartition(userDid),
          [{ op: 'put', key: `wallet:${await hash(jti)}`, value: '', if: 'absent', expiresAt: exp }],
          context.now(),
        )
        return outcome === 'done'
      },
    }),
  )
}

const MOST_LISTED = 1000

/** What is open for a user, the oldest first. What was asked on a credential that has been revoked since is not shown any more. */
export async function openQuestions(
  context: ServiceContext,
  userDid: string,
): Promise<readonly ConfirmationRequest[]> {
  const now = context.now()
  const partition = userPartition(userDid)
  const operations = [{ op: 'list', prefix: QUESTION_PREFIX, limit: MOST_LISTED }] as const
  const { results } = await context.store.transact(partition, operations, now)
  const open = (results[0] ?? [])
    .map(({ value }) => JSON.parse(value) as QuestionRow)
    .filter(({ state, question }) => state === 'open' && question.expires_at > now)
    .map(({ question }) => question)
  if (open.length === 0) return open
  const gets = open
    .flatMap((question) => [revokedKey(question.credential_id), revokedRequestKey(question.request_id)])
    .map((key): Get => ({ op: 'get', key }))
  const revoked = await context.store.transact(partition, gets, now)
  return open
    .filter((_, index) => !revoked.results[2 * index] && !revoked.results[2 * index + 1])
    .sort((a, b) => a.timestamp - b.timestamp)
}

/** The inbox as a list: at once when something is open, and otherwise after at most so many seconds, or the token's end. */
export async function pollInbox(
  context: ServiceContext,
  { userDid, expiresAt }: VerifiedWalletToken,
  waitSeconds: number,
  signal?: AbortSignal,
): Promise<readonly ConfirmationRequest[]> {
  const until = performance.now() + waitSeconds * 1000
  const listener = listen(context, userDid)
  try {
    for (;;) {
      const open = await openQuestions(context, userDid)
      const left = Math.min(until - performance.now(), secondsLeft(context, expiresAt) * 1000)
      if (open.length > 0 || left <= 0 || signal?.aborted === true) return open
      await listener.next(Math.min(left, LOOK_AGAIN_MS), signal)
    }
  } finally {
    listener.close()
  }
}

/**
 * The inbox as it goes on: the open questions first, each one once, until the token's end or the signal aborts.
 *
 * @throws HandshakeError `rate_limited` at once
 */
export function streamInbox(
  context: ServiceContext,
  wallet: VerifiedWalletToken,
  signal: AbortSignal,
): AsyncGenerator<ConfirmationRequest> {
  return questionsOf(context, wallet, listen(context, wallet.userDid), signal)
}

async function* questionsOf(
  context: ServiceContext,
  { userDid, expiresAt }: VerifiedWalletToken,
  listener: Listener,
  signal: AbortSignal,
): AsyncGenerator<ConfirmationRequest> {
  const seen = new Set<string>()
  try {
    while (!signal.aborted && secondsLeft(context, expiresAt) > 0) {
      for (const question of await openQuestions(context, userDid)) {
        if (seen.has(question.request_id)) continue
        seen.add(question.request_id)
        yield question
      }
      await listener.next(Math.min(secondsLeft(context, expiresAt) * 1000, LOOK_AGAIN_MS), signal)
    }
  } finally {
    listener.close()
  }
}

const secondsLeft = (context: ServiceContext, expiresAt: number): number => expiresAt - context.nowMs() / 1000

function listen(context: ServiceContext, userDid: string): Listener {
  if (context.hub.listening(userTopic(userDid)) >= context.limits.waiting) {
    throw refuse('rate_limited', 'too many wait on one inbox', { rule: 'ATH-4.4', retryAfter: 5 })
  }
  return context.hub.listen(userTopic(userDid))
}
