import { toBase64url } from '../../crypto/bytes.ts'
import { type OpenedExchange, openExchange } from '../../session/exchange.ts'
import { decodeRequestHeader, REQUEST_HEADER_BYTES } from '../../session/header.ts'
import { createReader, exchangeKey } from '../../session/records.ts'
import type { ServiceContext } from '../context.ts'
import { type FoundKeys, findKeys } from './sessions.ts'

/** A sealed request as it came, and as its answer leaves (ATH-7.1). */
export interface SealedMessage {
  /** In one piece where it is small. It throws where it breaks off. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>
  /** Aborted when the client goes away; asked for only where somebody wants to know. */
  readonly signal: () => AbortSignal
}

/** In one piece, or record by record as the application's answer comes. */
export type SealedBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>

/** A sealed request whose record 0 has opened: whoever sent it has the session's keys. */
export interface Received extends FoundKeys {
  /** 45 bytes, from which the answer's key is derived too (ATH-7.3). */
  readonly header: Uint8Array
  readonly seq: number
  readonly exchange: OpenedExchange
}

/**
 * Reads the header, finds its keys, opens record 0. Nothing is used up by what fails here (ATH-7.2), and no key is there yet to
 * seal an answer with.
 *
 * @throws HandshakeError `malformed_message`, `session_unknown`, `session_expired`: for outside the seal
 */
export async function receive(context: ServiceContext, { body }: SealedMessage): Promise<Received> {
  const reader = createReader(body)
  const header = new Uint8Array(await reader.read(REQUEST_HEADER_BYTES))
  const { sid, epoch, seq } = decodeRequestHeader(header)
  const { known, epoch: of } = await findKeys(context, toBase64url(sid), epoch)
  const key = await exchangeKey(of.keys.c2s, 'request', header)
  return {
    known,
    epoch: of,
    header,
    seq,
    exchange: await openExchange(of.keys.cipher, key, reader),
  }
}
