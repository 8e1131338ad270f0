/**
 * Reads the inbox of a service (ATH-6.3.5): as a stream where it gives one, else by asking again and again. Tokens live 300 s and are
 * good once, so every stream and every poll has its own; a stream that ends is opened again.
 */
import {
  abortable,
  again,
  backoff,
  call,
  deadline,
  drop,
  readBounded,
  refusalIn,
  type Sleep,
  send,
  type Transport,
  troubleOf,
} from '../client/index.ts'
import { type JsonObject, MAX_BYTES, parseJson } from '../crypto/json.ts'
import { AthError, HandshakeError } from '../errors.ts'
import type { ConfirmationRequest } from '../handshake/index.ts'
import { parseInboxListing } from '../messages/index.ts'
import { readEvents } from './events.ts'
import { type QuestionContext, verifyQuestion } from './question.ts'
import type { WalletLink } from './wallet-link.ts'

export interface InboxOptions {
  readonly transport: Transport
  readonly sleep: Sleep
  readonly url: () => Promise<string>
  /** `Authorization` with a fresh wallet token. */
  readonly token: () => Promise<Record<string, string>>
  readonly question: QuestionContext
  readonly onRefused?: ((error: HandshakeError) => void) | undefined
}

const POLL_SECONDS = 60
/** A little beyond a token's 300 s, at the end of which a server ends the stream. */
const STREAM_MS = 310_000
/** What a stream has to bring at least, so that one that ends at once is not opened again at once. */
const SHORT_STREAM_MS = 1000

export function watchInbox(options: InboxOptions): Pick<WalletLink, 'questions' | 'pending'> {
  const { transport, sleep, url, token, question, onRefused } = options

  /** What does not verify is nobody's question: it is dropped, and the rest of the inbox is read on. */
  async function verified(messages: readonly JsonObject[], signal?: AbortSignal) {
    const questions: ConfirmationRequest[] = []
    for (const message of messages) {
      try {
        questions.push(await verifyQuestion(message, { ...question, signal }))
      } catch (error) {
        if (!(error instanceof HandshakeError) || error.code >= 500) throw error
        onRefused?.(error)
      }
    }
    return questions
  }

  async function poll(wait: number, signal?: AbortSignal): Promise<readonly ConfirmationRequest[]> {
    const prefer: Record<string, string> = wait > 0 ? { prefer: `wait=${wait}` } : {}
    const { body } = await again({ sleep, signal }, async () =>
      call(transport, {
        url: await url(),
        method: 'GET',
        headers: { ...(await token()), ...prefer },
        wait,
        signal,
      }),
    )
    return verified(parseInboxListing(body), signal)
  }

  /** One stream, to its end. @returns false where the service gives a list instead */
  async function* stream(signal: AbortSignal): AsyncGenerator<JsonObject, boolean> {
    const limit = deadline(STREAM_MS, signal)
    try {
      const headers = { ...(await token()), accept: 'text/event-stream' }
      const opening = send(transport, await url(), { method: 'GET', headers, signal: limit.signal })
      const response = await within(opening, transport.answerWithin, limit.signal)
      if (!response.ok)
        throw refusalIn(response.status, response.headers, await errorBody(response, limit.signal))
      if (!isEventStream(response) || response.body === null) {
        drop(response)
        return false
      }
      const reader = readEvents(response.body)
      try {
        for (;;) {
          const message = await reader.next(limit.signal)
          if (message === undefined) return true
          yield message
        }
      } finally {
        reader.close()
      }
    } catch (error) {
      if (limit.expired()) return true
      throw troubleOf(error, signal, false)
    } finally {
      limit.clear()
    }
  }

  async function* follow(signal: AbortSignal): AsyncGenerator<readonly JsonObject[], void> {
    for (let failures = 0; ; ) {
      signal.throwIfAborted()
      const openedAt = Date.now()
      try {
        const messages = stream(signal)
        let step = await messages.next()
        for (; !step.done; step = await messages.next()) {
          failures = 0
          yield [step.value]
        }
        if (!step.value) return
        if (Date.now() - openedAt < SHORT_STREAM_MS) await sleep(backoff(failures++), signal)
      } catch (error) {
        await sleep(pauseAfter(error, failures++), signal)
      }
    }
  }

  async function* raw(signal: AbortSignal): AsyncGenerator<readonly ConfirmationRequest[]> {
    for await (const messages of follow(signal)) yield await verified(messages, signal)
    for (;;) yield await poll(POLL_SECONDS, signal)
  }

  async function* questions(signal: AbortSignal): AsyncGenerator<ConfirmationRequest> {
    const seen = new Map<string, number>()
    try {
      for await (const found of raw(signal)) {
        for (const [id, until] of seen) if (until <= question.now()) seen.delete(id)
        const fresh = found.filter(({ request_id }) => !seen.has(request_id))
        for (const request of fresh) {
          seen.set(request.request_id, request.expires_at)
          yield request
        }
        // A poll that has nothing new to say answers at once while old questions are open.
        if (found.length > 0 && fresh.length === 0) await sleep(SHORT_STREAM_MS, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  return { questions, pending: ({ waitSeconds = 0, signal } = {}) => poll(waitSeconds, signal) }
}

const isEventStream = (response: Response): boolean =>
  (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() === 'text/event-stream'

async function errorBody(response: Response, signal: AbortSignal) {
  try {
    return parseJson(await readBounded(response, MAX_BYTES, signal))
  } catch {
    return undefined
  }
}

async function within(opening: Promise<Response>, milliseconds: number, signal: AbortSignal) {
  const limit = deadline(milliseconds, signal)
  try {
    return await abortable(opening, limit.signal)
  } finally {
    limit.clear()
  }
}

/** Milliseconds. @throws what will not be otherwise the next time: a DID that is not enrolled, a server that breaks the rules */
function pauseAfter(error: unknown, failures: number): number {
  const passes =
    (error instanceof AthError && error.trouble === 'transport_failed') ||
    (error instanceof HandshakeError && error.retryable)
  if (!passes) throw error
  const retryAfter = error instanceof HandshakeError ? error.retryAfter : undefined
  return retryAfter === undefined ? backoff(failures) : Math.min(retryAfter, 300) * 1000
}
