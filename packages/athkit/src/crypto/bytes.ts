import { refuse } from '../errors.ts'

const encoder = new TextEncoder()
// `ignoreBOM` keeps a byte order mark in the text, where the caller finds and refuses it.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export type Awaitable<T> = T | Promise<T>

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text) as Uint8Array<ArrayBuffer>

/**
 * Strict UTF-8 without a byte order mark (ATH-1.1).
 *
 * @throws HandshakeError `malformed_message`
 */
export function fromUtf8(bytes: Uint8Array): string {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    throw refuse('malformed_message', 'not UTF-8', { rule: 'ATH-1.1' })
  }
  if (text.startsWith('\uFEFF')) throw refuse('malformed_message', 'byte order mark', { rule: 'ATH-1.1' })
  return text
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Four bytes, big-endian. */
export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** Compares in a time that depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const VALUES = new Int8Array(128).fill(-1)
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i

/** The two characters of every twelve bits. */
const PAIRS = Array.from({ length: 4096 }, (_, bits) => `${ALPHABET[bits >> 6]}${ALPHABET[bits & 63]}`)

/** base64url without padding (RFC 4648 §5): by the runtime where it can, which is what Node's `Buffer` is for. */
export const toBase64url: (bytes: Uint8Array) => string =
  typeof Buffer === 'undefined' ? encodeBase64url : (bytes) => bufferOf(bytes).toString('base64url')

/** What the platform's own cryptography gives is one already. */
const bufferOf = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

export function encodeBase64url(bytes: Uint8Array): string {
  let text = ''
  let i = 0
  for (; i + 2 < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8) | (bytes[i + 2] as number)
    text += (PAIRS[group >> 12] as string) + (PAIRS[group & 0xfff] as string)
  }
  const rest = bytes.length - i
  if (rest === 1) {
    const group = (bytes[i] as number) << 16
    text += character(group >> 18) + character(group >> 12)
  } else if (rest === 2) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8)
    text += character(group >> 18) + character(group >> 12) + character(group >> 6)
  }
  return text
}

const character = (bits: number): string => ALPHABET[bits & 63] as string

/**
 * Strict base64url (ATH-1.3): no padding, white space, foreign characters or non-zero trailing bits, so that no two texts stand
 * for the same bytes.
 *
 * @param expectedLength of the bytes, where only one will do
 * @throws HandshakeError `malformed_message`
 */
export function fromBase64url(text: unknown, expectedLength?: number): Uint8Array {
  const bytes = typeof text === 'string' ? decodeBase64url(text) : undefined
  if (bytes === undefined || (expectedLength !== undefined && bytes.length !== expectedLength)) {
    throw refuse('malformed_message', 'not base64url of the length that is due', { rule: 'ATH-1.3' })
  }
  return bytes
}

/** The same, undefined where it is not strict base64url. */
export function decodeBase64url(text: string): Uint8Array | undefined {
  const rest = text.length % 4
  if (rest === 1) return undefined
  const bytes = new Uint8Array((text.length * 3) >> 2)
  let accumulator = 0
  let bits = 0
  let at = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const value = code < 128 ? (VALUES[code] as number) : -1
    if (value < 0) return undefined
    accumulator = ((accumulator << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = (accumulator >> bits) & 0xff
    }
  }
  return (accumulator & ((1 << bits) - 1)) === 0 ? bytes : undefined
}
