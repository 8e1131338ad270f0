import { decodeBase64url, type Json, type JsonObject, parseJson } from 'athkit/crypto'
import { Usage } from '../trouble.ts'

/** One thing to look at: a message, a JWT, or sealed bytes. */
export type Thing = JsonObject | string | Uint8Array

const LIMITS = { maxBytes: 4_194_304, maxDepth: 18 }
const SEALED_VERSION = 1
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/

/**
 * What stands in a file: JSON (a message, a flight, one message a line), a JWT with or without `Bearer`, or sealed bytes, also in hex
 * or base64url.
 *
 * @throws HandshakeError `malformed_message` for JSON that the protocol does not take; Usage for what is none of these
 */
export function thingsIn(bytes: Uint8Array, name: string): readonly Thing[] {
  if (bytes[0] === SEALED_VERSION) return [bytes]
  const text = Buffer.from(bytes).toString('utf8').trim()
  if (/^[{["]/.test(text)) return jsonThings(text, bytes, name)
  const jwt = text.replace(/^(authorization:\s*)?bearer\s+/i, '')
  if (JWT.test(jwt)) return [jwt]
  const sealed = encoded(text)
  if (sealed?.[0] === SEALED_VERSION) return [sealed]
  throw new Usage(`${name} holds no message, credential, token or sealed bytes: nothing in it can be read`)
}

function jsonThings(text: string, bytes: Uint8Array, name: string): readonly Thing[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const isOneEach = lines.length > 1 && lines.every((line) => /^\{.*\}\s*$/.test(line))
  const values = isOneEach
    ? lines.map((line) => parseJson(line, LIMITS))
    : [parseJson(bytesOf(text, bytes), LIMITS)]
  return values
    .flatMap((value) => (Array.isArray(value) ? value : [value]))
    .map((value) => thing(value, name))
}

/** As it was received, where that is what there is: a byte order mark is not to be hidden. */
const bytesOf = (text: string, bytes: Uint8Array): Uint8Array | string =>
  Buffer.from(bytes).toString('utf8') === text ? bytes : text

function thing(value: Json, name: string): Thing {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return value as Thing
  throw new Usage(`${name} holds JSON, and no message`)
}

function encoded(text: string): Uint8Array | undefined {
  const compact = text.replace(/\s+/g, '')
  return /^([0-9a-f]{2})+$/i.test(compact) ? Buffer.from(compact, 'hex') : decodeBase64url(compact)
}
