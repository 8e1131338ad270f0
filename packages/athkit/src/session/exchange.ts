import type { CipherSuite } from '../crypto/algorithms.ts'
import { concat, uint32 } from '../crypto/bytes.ts'
import { refuse } from '../errors.ts'
import { type ByteReader, createOpener, createSealer, MOST_PLAINTEXT, type OpenedRecord } from './records.ts'

/** A head and a body as the records of one direction carry them (ATH-7.4). */
export interface OpenedExchange {
  /** The bytes of the head, not yet judged: record 0 has opened, so what comes of it travels sealed. */
  readonly record0: Uint8Array
  /** Whether it is the only record. */
  readonly single: boolean
  /** The body, record by record, empty ones included; it throws where it is cut short, so that a truncated one never looks whole. */
  body(): AsyncGenerator<Uint8Array, void, undefined>
  /** The body of one that is `single`. @throws HandshakeError `malformed_message` where bytes follow the record */
  whole(): Promise<Uint8Array>
}

/** Opens record 0. @throws HandshakeError `malformed_message`: nothing was burnt (ATH-7.2) */
export async function openExchange(
  suite: CipherSuite,
  key: Uint8Array,
  reader: ByteReader,
): Promise<OpenedExchange> {
  const next = createOpener(suite, key, reader)
  const first = await next()
  return {
    record0: first.plaintext,
    single: first.last,
    body: () => bodyOf(first, next, reader),
    async whole() {
      if (!first.last) throw new RangeError('the body goes on behind record 0')
      await checkEnd(reader)
      return splitHead(first.plaintext).rest
    },
  }
}

async function* bodyOf(first: OpenedRecord, next: () => Promise<OpenedRecord>, reader: ByteReader) {
  yield splitHead(first.plaintext).rest
  for (let { last } = first; !last; ) {
    const record = await next()
    last = record.last
    yield record.plaintext
  }
  await checkEnd(reader)
}

async function checkEnd(reader: ByteReader): Promise<void> {
  if (!(await reader.atEnd()))
    throw refuse('malformed_message', 'bytes after the last record', { rule: 'ATH-7.2' })
}

/** The head and the first bytes of the body. @throws HandshakeError `malformed_message` when the head is not wholly in record 0 */
export function splitHead(record0: Uint8Array): { readonly head: Uint8Array; readonly rest: Uint8Array } {
  const length = record0.length < 4 ? -1 : new DataView(record0.buffer, record0.byteOffset, 4).getUint32(0)
  if (length < 0 || length > record0.length - 4) {
    throw refuse('malformed_message', 'the head is not wholly in record 0', { rule: 'ATH-7.4' })
  }
  return { head: record0.subarray(4, 4 + length), rest: record0.subarray(4 + length) }
}

/** Seals a head and a whole body; the last record is full or has the rest. */
export async function sealWhole(
  suite: CipherSuite,
  key: Uint8Array,
  head: Uint8Array,
  body: Uint8Array,
): Promise<Uint8Array> {
  const sealRecord = createSealer(suite, key)
  const plaintext = concat(uint32(head.length), head, body)
  if (head.length + 4 > MOST_PLAINTEXT) throw new RangeError('the head does not fit into record 0')
  const records: Uint8Array[] = []
  for (let at = 0; at < plaintext.length; at += MOST_PLAINTEXT) {
    const last = at + MOST_PLAINTEXT >= plaintext.length
    records.push(await sealRecord(plaintext.subarray(at, at + MOST_PLAINTEXT), last))
  }
  return records.length === 1 ? (records[0] as Uint8Array) : concat(...records)
}

/** Seals a head at once and each chunk of the body as it comes, in records of its own (ATH-7.4); the last record is empty. */
export async function* sealStream(
  suite: CipherSuite,
  key: Uint8Array,
  head: Uint8Array,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const sealRecord = createSealer(suite, key)
  if (head.length + 4 > MOST_PLAINTEXT) throw new RangeError('the head does not fit into record 0')
  yield sealRecord(concat(uint32(head.length), head), false)
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += MOST_PLAINTEXT) {
      yield sealRecord(chunk.subarray(at, at + MOST_PLAINTEXT), false)
    }
  }
  yield sealRecord(new Uint8Array(), true)
}
