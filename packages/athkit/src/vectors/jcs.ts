import { utf8 } from '../crypto/bytes.ts'
import { canonicalize, hash } from '../crypto/jcs.ts'
import { type JsonObject, parseMessage } from '../crypto/json.ts'
import { fromHex } from '../crypto/pem.ts'

/** jcs.json: bytes of one message to its canonical form (ATH-1.1, ATH-1.5). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const message = parseMessage(bytesOf(input))
  return { canonical: canonicalize(message), sha256: await hash(message) }
}

function bytesOf({ json, hex, padded }: JsonObject): Uint8Array {
  if (typeof hex === 'string') return fromHex(hex)
  if (typeof json === 'string') return utf8(json)
  const { prefix, fill, suffix, total } = padded as {
    prefix: string
    fill: string
    suffix: string
    total: number
  }
  return utf8(prefix + fill.repeat(total - utf8(prefix + suffix).length) + suffix)
}
