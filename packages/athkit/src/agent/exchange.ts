/**
 * One request through the seal and its answer (ATH-7.1 – ATH-7.4). Nothing here is tried again.
 */
import { abortable, deadline, jsonBytes, readBounded, refusalIn, send, troubleOf } from '../client/index.ts'
import { concat } from '../crypto/bytes.ts'
import { type Json, MAX_BYTES, parseJson } from '../crypto/json.ts'
import { randomBytes } from '../crypto/random.ts'
import { AthError, HandshakeError } from '../errors.ts'
import { openExchange, sealStream, sealWhole, splitHead } from '../session/exchange.ts'
import { type ResponseHead, readResponseHead } from '../session/head.ts'
import { checkResponseHeader, encodeRequestHeader, RESPONSE_HEADER_BYTES } from '../session/header.ts'
import { createReader, exchangeKey, MOST_PLAINTEXT } from '../session/records.ts'
import type { Connection, Epoch } from './connection.ts'
import type { AgentContext } from './context.ts'
import { createIncoming, type Incoming, streamOf } from './incoming.ts'
import { type InnerRequest, streamIn } from './inner-request.ts'

/** An answer whose record 0 has opened: it is this server's, to this very request. */
export interface SealedAnswer {
  readonly sealed: true
  readonly head: ResponseHead
  /** The body as it comes; it fails where it is cut short, so that a part is never taken for the whole. */
  readonly body: AsyncGenerator<Uint8Array, void, undefined>
  readonly epoch: Epoch
  /** Lets go of an answer that nobody reads. */
  cancel(): void
}

/** What somebody says in the clear: hearsay (ATH-7.11). */
export interface OuterAnswer {
  readonly sealed: false
  readonly error: Error
  readonly epoch: Epoch
}

/**
 * An exchange in its turn: no more wait for an answer at a time than the window of ATH-7.6 can hold.
 *
 * @throws as {@link exchange}
 */
export async function exchangeInTurn(
  agent: AgentContext,
  connection: Connection,
  request: InnerRequest,
  signal: AbortSignal | undefined,
): Promise<SealedAnswer | OuterAnswer> {
  const release = await connection.slots.take(signal)
  try {
    return await exchange(agent, connection, request, signal)
  } finally {
    release()
  }
}

/**
 * @throws AthError `transport_failed` when there was no answer, or it broke off in record 0; `peer_violation` when it does not open
 * @throws AthError `session_closed` when the epoch has no number left
 * @throws TypeError for more headers than fit into the first record
 * @throws the signal's reason
 */
export async function exchange(
  agent: AgentContext,
  connection: Connection,
  request: InnerRequest,
  signal: AbortSignal | undefined,
): Promise<SealedAnswer | OuterAnswer> {
  const leave = connection.leases.take()
  let isRead = false
  try {
    const { epoch } = connection
    const { header, body } = await seal(agent, connection, epoch, request)
    const limit = deadline(agent.headWithin, signal)
    const incoming = createIncoming(limit.signal, () => {
      limit.clear()
      leave()
    })
    try {
      const response = await send(agent.transport, connection.endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/ath-sealed', accept: 'application/ath-sealed' },
        body: body as RequestInit['body'] & (Uint8Array | ReadableStream),
        ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
        signal: limit.signal,
      })
      if (!isSealed(response)) {
        const error = await outerError(response, limit.signal)
        limit.clear()
        return { sealed: false, epoch, error }
      }
      incoming.begin(response)
      const answer = await open(epoch, header, incoming)
      // The body may go on for as long as the application likes; the caller's signal still ends it.
      limit.detach()
      isRead = true
      return answer
    } catch (error) {
      const trouble = troubleOf(error, signal, limit.expired())
      incoming.cancel()
      limit.clear()
      throw trouble
    }
  } finally {
    if (!isRead) leave()
  }
}

async function seal(
  agent: AgentContext,
  connection: Connection,
  { keys, sequence }: Epoch,
  inner: InnerRequest,
) {
  const seq = await sequence.next()
  if (seq === undefined)
    throw new AthError('session_closed', 'no number is left in this epoch', { rule: 'ATH-7.6' })
  const header = encodeRequestHeader({ sid: connection.sid, epoch: keys.epoch, seq, salt: randomBytes(16) })
  const key = await exchangeKey(keys.c2s, 'request', header)
  const { method, path, body } = inner
  const headers = [...inner.headers, ['authorization', `Bearer ${connection.token}`]]
  const head = jsonBytes({ method, path, headers, timestamp: agent.now() })
  if (head.length + 4 > MOST_PLAINTEXT) throw new TypeError('headers: more than fit into the first record')
  const stream = streamIn(body)
  if (stream !== undefined)
    return { header, body: streamOf(header, sealStream(keys.cipher, key, head, stream)) }
  const whole = body instanceof Uint8Array ? body : new Uint8Array()
  return { header, body: concat(header, await sealWhole(keys.cipher, key, head, whole)) }
}

const isSealed = (response: Response): boolean =>
  response.status === 200 &&
  response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() === 'application/ath-sealed'

async function outerError(response: Response, signal: AbortSignal): Promise<Error> {
  const bytes = await readBounded(response, MAX_BYTES, signal)
  let body: Json
  try {
    body = parseJson(bytes)
  } catch {
    body = undefined
  }
  return refusalIn(response.status, response.headers, body)
}

async function open(epoch: Epoch, requestHeader: Uint8Array, incoming: Incoming): Promise<SealedAnswer> {
  const { keys } = epoch
  try {
    const reader = createReader(incoming.chunks)
    const responseHeader = checkResponseHeader(await reader.read(RESPONSE_HEADER_BYTES))
    const key = await exchangeKey(keys.s2c, 'response', requestHeader, responseHeader)
    const opened = await openExchange(keys.cipher, key, reader)
    const head = readResponseHead(splitHead(opened.record0).head)
    const body = opened.single ? readAhead(opened.body()) : opened.body()
    return { sealed: true, head, body, epoch, cancel: incoming.cancel }
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    if (incoming.ended()) throw new AthError('transport_failed', 'the answer was cut short', { cause: error })
    throw new AthError('peer_violation', 'the answer does not open with the keys of this request', {
      rule: 'ATH-7.3',
      cause: error,
    })
  }
}

/** Looks for the end at once where record 0 is all there is: nothing of the connection is held for a body that nobody reads. */
function readAhead(
  body: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const first = body.next()
  const end = first.then(() => body.next())
  end.catch(() => undefined)
  return (async function* () {
    const { done, value } = await first
    if (done !== true) yield value
    await end
  })()
}

/** The body of what ATH itself answers: wholly in record 0, and JSON (ATH-7.4). */
export async function ownBody({ body }: SealedAnswer, signal: AbortSignal | undefined): Promise<Json> {
  const parts: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await abortable(body.next(), signal)
    if (done === true) break
    size += value.length
    if (size > MAX_BYTES)
      throw new AthError('peer_violation', 'an answer of ATH beyond record 0', { rule: 'ATH-7.4' })
    parts.push(value)
  }
  return size === 0 ? undefined : parseJson(concat(...parts))
}
