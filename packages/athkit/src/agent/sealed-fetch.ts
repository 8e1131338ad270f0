/** `fetch`, sealed: the same shape, and the same answers, through the session. */
import { abortable } from '../client/index.ts'
import { randomId } from '../crypto/random.ts'
import { AthError, HandshakeError } from '../errors.ts'
import type { AgentContext } from './context.ts'
import type { SealedAnswer } from './exchange.ts'
import { streamOf } from './incoming.ts'
import { IDEMPOTENCY_KEY, type InnerRequest, withIdempotencyKey } from './inner-request.ts'
import type { LiveSession } from './live.ts'
import { explaining } from './our-settings.ts'
import { type Outgoing, readOutgoing, type SealedInit, signalOf } from './outgoing.ts'
import { perform } from './perform.ts'
import { MOST_REDIRECTS, redirected } from './redirects.ts'

export type SealedFetch = (input: string | URL | Request, init?: SealedInit) => Promise<Response>

export function createSealedFetch(agent: AgentContext, session: LiveSession, origin: string): SealedFetch {
  return (input, init) => {
    const signal = signalOf(input, init)
    // Whatever it waits for: a body that is read, a vault, a turn.
    return abortable(answerTo(input, init, signal), signal, letGo)
  }

  async function answerTo(
    input: string | URL | Request,
    init: SealedInit | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    signal?.throwIfAborted()
    let outgoing = await readOutgoing(input, init, origin)
    for (let hop = 0; ; hop++) {
      const inner = innerOf(outgoing, hop)
      const answer = await explaining(() => perform(agent, session, inner, signal))
      let next: Outgoing | undefined
      try {
        next = redirected(outgoing, answer.head)
      } catch (error) {
        answer.cancel()
        throw error
      }
      if (next === undefined) return responseOf(outgoing, answer, hop > 0)
      answer.cancel()
      if (hop >= MOST_REDIRECTS) throw new TypeError('the service redirects too often')
      outgoing = next
    }
  }
}

/** An answer that nobody waits for any more holds no connection. */
const letGo = (late: Response): void => void late.body?.cancel().catch(() => undefined)

function innerOf({ url, method, headers, body }: Outgoing, hop: number): InnerRequest {
  // A key is bound to its path (ATH-7.7): on the way along redirects, each hop has its own.
  const listed = [...headers].map(([name, value]): [string, string] => [
    name,
    name === IDEMPOTENCY_KEY && hop > 0 ? `${value}:${hop}` : value,
  ])
  return withIdempotencyKey({ method, path: url.pathname + url.search, headers: listed, body }, randomId)
}

/** Statuses that have no body (fetch, "null body status"). */
const WITHOUT_BODY = new Set([204, 205, 304])

function responseOf(
  { url, method, signal }: Outgoing,
  answer: SealedAnswer,
  wasRedirected: boolean,
): Response {
  const { status } = answer.head
  const hasBody = method !== 'HEAD' && !WITHOUT_BODY.has(status)
  if (!hasBody) drain(answer)
  const body = hasBody ? streamOf(undefined, wholeOrFail(answer, signal), answer.cancel) : null
  const response = new Response(body, { status, headers: answer.head.headers as [string, string][] })
  return asFetched(response, url.origin + url.pathname + url.search, wasRedirected)
}

/** What `fetch` says of its answers and a made `Response` does not; of their copies too. */
function asFetched(response: Response, url: string, redirected: boolean): Response {
  return Object.defineProperties(response, {
    type: { value: 'basic' },
    url: { value: url },
    redirected: { value: redirected },
    clone: { value: () => asFetched(Response.prototype.clone.call(response), url, redirected) },
  })
}

/** What ends early was cut short, whatever the platform calls it; the caller's own abort is the caller's. */
async function* wholeOrFail(
  { body }: SealedAnswer,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of body) if (chunk.length > 0) yield chunk
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason
    throw new AthError('transport_failed', 'the answer was cut short, or altered on the way', {
      rule: error instanceof HandshakeError ? 'ATH-7.2' : undefined,
      cause: error,
    })
  }
}

/** Reads on to the end of what has nothing in it, so that the connection can be used again. */
function drain({ body, cancel }: SealedAnswer): void {
  body.next().then((step) => {
    if (step.done !== true) cancel()
  }, cancel)
}
