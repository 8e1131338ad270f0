import { abortable } from '../client/time.ts'
import { fromUtf8 } from '../crypto/bytes.ts'
import { type JsonObject, MAX_BYTES, parseMessage } from '../crypto/json.ts'
import { AthError, HandshakeError } from '../errors.ts'

/** What one read of the stream brings. */
export interface EventReader {
  /** The next event's data, parsed; undefined at the end of the stream. */
  next(signal: AbortSignal): Promise<JsonObject | undefined>
  close(): void
}

/**
 * Server-sent events whose data is one message each (ATH-6.3.5). Read with `fetch`, for `EventSource` sends no header. An event of
 * more than 64 KiB, or one that is no message, ends the stream.
 *
 * @throws AthError `peer_violation`
 */
export function readEvents(body: ReadableStream<Uint8Array>): EventReader {
  const reader = body.getReader()
  let buffered = new Uint8Array()

  function takeEvent(): string | undefined {
    const end = endOfEvent(buffered)
    if (end === undefined) return undefined
    const text = fromUtf8(buffered.subarray(0, end.at))
    buffered = buffered.slice(end.at + end.length)
    return text
  }

  return {
    async next(signal) {
      for (;;) {
        for (let text = takeEvent(); text !== undefined; text = takeEvent()) {
          const data = dataOf(text)
          if (data !== undefined) return messageOf(data)
        }
        if (buffered.length > 2 * MAX_BYTES) throw violation('an event without an end')
        const { done, value } = await abortable(reader.read(), signal)
        if (done) return undefined
        const joined = new Uint8Array(buffered.length + value.length)
        joined.set(buffered)
        joined.set(value, buffered.length)
        buffered = joined
      }
    },
    close: () => void reader.cancel().catch(() => undefined),
  }
}

const LF = 0x0a
const CR = 0x0d

/** Where the first empty line begins: LF LF, CR CR, or CR LF CR LF. */
function endOfEvent(bytes: Uint8Array): { at: number; length: number } | undefined {
  for (let i = 0; i + 1 < bytes.length; i++) {
    if (bytes[i] === LF && bytes[i + 1] === LF) return { at: i, length: 2 }
    if (bytes[i] === CR && bytes[i + 1] === CR) return { at: i, length: 2 }
    if (bytes[i] === CR && bytes[i + 1] === LF && bytes[i + 2] === CR && bytes[i + 3] === LF) {
      return { at: i, length: 4 }
    }
  }
  return undefined
}

function dataOf(event: string): string | undefined {
  const lines = event.split(/\r\n|\n|\r/).filter((line) => line === 'data' || line.startsWith('data:'))
  if (lines.length === 0) return undefined
  return lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n')
}

function messageOf(data: string): JsonObject {
  try {
    return parseMessage(data)
  } catch (error) {
    if (error instanceof HandshakeError) throw violation(`an event that is no message: ${error.reason}`)
    throw error
  }
}

const violation = (reason: string) =>
  new AthError('peer_violation', `inbox stream: ${reason}`, { rule: 'ATH-6.3.5' })
