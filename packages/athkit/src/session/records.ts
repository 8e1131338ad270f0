import { open, seal } from '../crypto/aead.ts'
import type { CipherSuite } from '../crypto/algorithms.ts'
import { type Awaitable, concat, utf8 } from '../crypto/bytes.ts'
import { expand } from '../crypto/hkdf.ts'
import { refuse } from '../errors.ts'

/** Records (ATH-7.2): a length whose top bit says "the last one", and a ciphertext whose nonce says it again. */
export const MOST_PLAINTEXT = 65_536
const MOST_RECORDS = 2 ** 22
const TAG = 16
const LAST = 0x80000000

/** One key for each direction of each exchange (ATH-7.2, ATH-7.3). @param headers of the request, and for a response of it too */
export function exchangeKey(
  secret: Uint8Array,
  kind: 'request' | 'response',
  ...headers: readonly Uint8Array[]
): Awaitable<Uint8Array> {
  return expand(secret, concat(LABELS[kind], ...headers), 32)
}

const LABELS = { request: utf8('ATH/0.1 request'), response: utf8('ATH/0.1 response') }

/** The nonce: an 11-byte counter, and whether it is the last record. */
function nonceOf(counter: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setUint32(7, counter)
  nonce[11] = last ? 1 : 0
  return nonce
}

export function createSealer(
  suite: CipherSuite,
  key: Uint8Array,
): (plaintext: Uint8Array, last: boolean) => Promise<Uint8Array> {
  let counter = 0
  let ended = false
  return async (plaintext, last) => {
    if (ended || counter >= MOST_RECORDS) throw new RangeError('no record follows the last one')
    if (plaintext.length > MOST_PLAINTEXT || (plaintext.length === 0 && !last))
      throw new RangeError('record of a wrong length')
    ended = last
    const sealed = await seal(suite, key, nonceOf(counter++, last), plaintext)
    const record = new Uint8Array(4 + sealed.length)
    new DataView(record.buffer).setUint32(0, sealed.length + (last ? LAST : 0))
    record.set(sealed, 4)
    return record
  }
}

export interface OpenedRecord {
  readonly plaintext: Uint8Array
  readonly last: boolean
}

/**
 * Opens record after record of a reader; after the last one it must be at its end.
 *
 * @throws HandshakeError `malformed_message` for whatever does not open, is cut short, or goes on behind the last record
 */
export function createOpener(
  suite: CipherSuite,
  key: Uint8Array,
  reader: ByteReader,
): () => Promise<OpenedRecord> {
  let counter = 0
  return async () => {
    if (counter >= MOST_RECORDS) throw malformed('too many records')
    const prefix = await reader.read(4)
    const word = new DataView(prefix.buffer, prefix.byteOffset, 4).getUint32(0)
    const last = word >= LAST
    const length = last ? word - LAST : word
    if (length > MOST_PLAINTEXT + TAG || length < TAG || (length === TAG && !last))
      throw malformed('record of a wrong length')
    const plaintext = await open(suite, key, nonceOf(counter++, last), await reader.read(length))
    return { plaintext, last }
  }
}

/** Reads exact numbers of bytes out of chunks of any size; holds no more than it needs for the next one. */
export interface ByteReader {
  /** @throws HandshakeError `malformed_message` when there are fewer left */
  read(length: number): Awaitable<Uint8Array>
  atEnd(): Awaitable<boolean>
}

export function createReader(source: Uint8Array | AsyncIterable<Uint8Array>): ByteReader {
  let buffered = source instanceof Uint8Array ? source : new Uint8Array()
  const chunks = source instanceof Uint8Array ? undefined : source[Symbol.asyncIterator]()
  const fill = async (length: number): Promise<boolean> => {
    const parts = [buffered]
    let have = buffered.length
    while (have < length && chunks !== undefined) {
      const { done, value } = await chunks.next()
      if (done === true) break
      parts.push(value)
      have += value.length
    }
    buffered = parts.length === 1 ? buffered : concat(...parts)
    return have >= length
  }
  const take = (length: number): Uint8Array => {
    if (buffered.length < length) throw malformed('cut short')
    const bytes = buffered.subarray(0, length)
    buffered = buffered.subarray(length)
    return bytes
  }
  // What is there already is given without a promise around it.
  return {
    read: (length) =>
      buffered.length >= length || chunks === undefined
        ? take(length)
        : fill(length).then(() => take(length)),
    atEnd: () => buffered.length === 0 && (chunks === undefined || fill(1).then((more) => !more)),
  }
}

const malformed = (reason: string) => refuse('malformed_message', reason, { rule: 'ATH-7.2' })
