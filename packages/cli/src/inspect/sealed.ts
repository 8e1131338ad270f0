import { toBase64url } from 'athkit/crypto'
import { refuse } from 'athkit/errors'
import { decodeRequestHeader, REQUEST_HEADER_BYTES, RESPONSE_HEADER_BYTES } from 'athkit/session'
import type { Findings } from './findings.ts'

/** Bytes of `application/ath-sealed` (ATH-7.2, ATH-7.3): what can be read without the keys. */

const LAST = 0x8000_0000
const TAG = 16
const MOST = 65_536 + TAG

export async function inspectSealed(bytes: Uint8Array, findings: Findings): Promise<object> {
  const isRequest = bytes.length === REQUEST_HEADER_BYTES || framed(bytes, REQUEST_HEADER_BYTES) !== undefined
  const isResponse = !isRequest && framed(bytes, RESPONSE_HEADER_BYTES) !== undefined
  const header = isResponse ? RESPONSE_HEADER_BYTES : REQUEST_HEADER_BYTES
  const rule = isResponse ? 'ATH-7.3' : 'ATH-7.2'
  const read = await findings.judge(`header of a sealed ${isResponse ? 'response' : 'request'}`, rule, () =>
    isResponse ? { salt: bytes.subarray(1, header) } : decodeRequestHeader(bytes.subarray(0, header)),
  )
  const records = framed(bytes, header)
  if (bytes.length > header) {
    await findings.judge('records are whole, and the last one is the last', 'ATH-7.2', () => {
      if (records === undefined)
        throw refuse('malformed_message', 'cut short, or more behind the last record')
    })
  }
  findings.open('opens', rule, 'takes the keys of the session, which nobody shows')
  if (read === undefined) return {}
  const shown = Object.entries(read).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? toBase64url(value) : value,
  ])
  return { ...Object.fromEntries(shown), ...(records === undefined ? {} : { records }) }
}

/** The lengths of the records' ciphertexts; undefined where the framing does not hold. */
function framed(bytes: Uint8Array, from: number): readonly number[] | undefined {
  if (bytes[0] !== 1 || bytes.length <= from) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const lengths: number[] = []
  for (let at = from; at + 4 <= bytes.length; ) {
    const word = view.getUint32(at)
    const length = word % LAST
    const isLast = word >= LAST
    if (length > MOST || length < TAG || (length === TAG && !isLast)) return undefined
    lengths.push(length)
    at += 4 + length
    if (isLast) return at === bytes.length ? lengths : undefined
  }
  return undefined
}
