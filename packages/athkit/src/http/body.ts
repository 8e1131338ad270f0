import { concat } from '../crypto/bytes.ts'
import { MAX_BYTES } from '../crypto/json.ts'
import { refuse } from '../errors.ts'
import { carried } from '../service/carried.ts'

/** @throws HandshakeError `malformed_message`, status 415 (ATH-9) */
export function requireMediaType(request: Request, wanted: string): void {
  const given = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (given !== wanted) {
    throw refuse('malformed_message', `the media type is not ${wanted}`, { rule: 'ATH-9', status: 415 })
  }
}

/**
 * The body, read piece by piece and no further than the limit (ATH-1.1).
 *
 * @throws HandshakeError `message_too_large`
 */
export async function readBody(request: Request, most = MAX_BYTES): Promise<Uint8Array> {
  const whole = carried(request)
  if (whole !== undefined && whole.length <= most) return whole
  if (Number(request.headers.get('content-length') ?? 0) > most) throw tooLarge()
  const reader = request.body?.getReader()
  if (reader === undefined) return new Uint8Array()
  const pieces: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw refuse('malformed_message', 'the body broke off', { rule: 'ATH-1.1', cause })
    })
    if (done) return pieces.length === 1 ? (pieces[0] as Uint8Array) : concat(...pieces)
    length += value.length
    if (length > most) {
      reader.cancel().catch(() => undefined)
      throw tooLarge()
    }
    pieces.push(value)
  }
}

/** A JSON body, in bytes. */
export function readJsonBody(request: Request): Promise<Uint8Array> {
  requireMediaType(request, 'application/json')
  return readBody(request)
}

const tooLarge = () => refuse('message_too_large', 'the body is larger than 64 KiB', { rule: 'ATH-1.1' })
