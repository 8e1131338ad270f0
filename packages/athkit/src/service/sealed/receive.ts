import { toBase64url } from '../../crypto/bytes.ts'
import { refuse } from '../../errors.ts'
import { type OpenedExchange, openExchange } from '../../session/exchange.ts'
import { decodeRequestHeader, REQUEST_HEADER_BYTES } from '../../session/header.ts'
import { createReader, exchangeKey } from '../../session/records.ts'
import { carried } from '../carried.ts'
import type { ServiceContext } from '../context.ts'
import { type FoundKeys, findKeys } from './sessions.ts'

/** A sealed request whose record 0 has opened: whoever sent it has the session's keys. */
export interface Received extends FoundKeys {
  /** 45 bytes, from which the answer's key is derived too (ATH-7.3). */
  readonly header: Uint8Array
  readonly seq: number
  readonly request: Request
  readonly exchange: OpenedExchange
}

/** A body up to this size is read in one go. */
const SMALL_BYTES = 131_072

/**
 * Reads the header, finds its keys, opens record 0. Nothing is used up by what fails here (ATH-7.2), and no key is there yet to
 * seal an answer with.
 *
 * @throws HandshakeError `malformed_message`, `session_unknown`, `session_expired`: for outside the seal
 */
export async function receive(context: ServiceContext, request: Request): Promise<Received> {
  const reader = createReader(await sourceOf(request))
  const header = new Uint8Array(await reader.read(REQUEST_HEADER_BYTES))
  const { sid, epoch, seq } = decodeRequestHeader(header)
  const { known, epoch: of } = await findKeys(context, toBase64url(sid), epoch)
  const key = await exchangeKey(of.keys.c2s, 'request', header)
  return {
    known,
    epoch: of,
    header,
    seq,
    request,
    exchange: await openExchange(of.keys.cipher, key, reader),
  }
}

/** A client that goes away while it sends has sent something that ends too early. */
async function sourceOf(request: Request): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const whole = carried(request)
  if (whole !== undefined) return whole
  if (request.body === null) return new Uint8Array()
  const length = Number(request.headers.get('content-length') ?? Number.NaN)
  try {
    if (length <= SMALL_BYTES) return new Uint8Array(await request.arrayBuffer())
  } catch (cause) {
    throw cutShort(cause)
  }
  return readUp(request.body)
}

async function* readUp(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch (cause) {
    throw cutShort(cause)
  } finally {
    reader.releaseLock()
  }
}

const cutShort = (cause: unknown) =>
  refuse('malformed_message', 'the body broke off', { rule: 'ATH-7.2', cause })
