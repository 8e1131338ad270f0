import { refuse } from '../errors.ts'
import { fromUtf8, utf8 } from './bytes.ts'

export type Json = string | number | boolean | null | undefined | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [member: string]: Json
}

export interface JsonLimits {
  readonly maxBytes?: number
  /** The outermost value is depth 1. */
  readonly maxDepth?: number
}

/** ATH-1.1. */
export const MAX_BYTES = 65_536
export const MAX_DEPTH = 16

/**
 * Strict JSON (ATH-1.1, ATH-1.5): UTF-8 without a byte order mark, no duplicate member names at any depth, nothing nested deeper
 * than the limit, no lone surrogates, no integers beyond ±(2⁵³−1), no numbers beyond the range.
 *
 * The platform's parser is fast but takes the last of two members of one name, and any number. So the text is looked at once
 * before, without recursion, for what that parser would hide.
 *
 * @throws HandshakeError `malformed_message`, `message_too_large`
 */
export function parseJson(input: string | Uint8Array, limits: JsonLimits = {}): Json {
  const { maxBytes = MAX_BYTES, maxDepth = MAX_DEPTH } = limits
  const size = typeof input === 'string' ? sizeOf(input, maxBytes) : input.length
  if (size > maxBytes) throw refuse('message_too_large', `${size} bytes`, { rule: 'ATH-1.1' })
  const text = typeof input === 'string' ? input : fromUtf8(input)
  let value: Json
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed('not JSON')
  }
  scan(text, maxDepth)
  return value
}

/** One message: a JSON object. @throws HandshakeError `malformed_message`, `message_too_large` */
export function parseMessage(input: string | Uint8Array, limits?: JsonLimits): JsonObject {
  const value = parseJson(input, limits)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('not an object')
  return value as JsonObject
}

export interface Flight {
  readonly messages: readonly Json[]
  /** Whether the body was an array: its answers come in one too (ATH-3.6). */
  readonly isArray: boolean
}

/** A body of one message, or of several in an array; 64 KiB as a whole, each message nested at most 16 deep (ATH-3.6). */
export function parseFlight(input: Uint8Array): Flight {
  const first = input.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
  const isArray = first === 0x5b
  const value = parseJson(input, { maxDepth: isArray ? MAX_DEPTH + 1 : MAX_DEPTH })
  return isArray ? { messages: value as readonly Json[], isArray } : { messages: [value], isArray }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Looks once at a text that is known to be JSON. An object's frame is the set of its names so far, an array's is null. */
function scan(text: string, maxDepth: number): void {
  if (!text.isWellFormed()) throw malformed('lone surrogate')
  const hasEscapes = text.includes('\\')
  const hasCodes = hasEscapes && text.includes('\\u')
  const frames: (Set<string> | null)[] = []
  let names: Set<string> | null = null
  let nameIsDue = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      const end = hasEscapes ? endOfString(text, i) : text.indexOf('"', i + 1)
      if (nameIsDue && names !== null) {
        const name = hasEscapes ? unescaped(text, i, end) : text.slice(i + 1, end)
        if (names.has(name)) throw malformed('duplicate member name')
        names.add(name)
        nameIsDue = false
      } else if (hasCodes) {
        unescaped(text, i, end)
      }
      i = end
    } else if (code === 0x7b || code === 0x5b) {
      frames.push(names)
      if (frames.length > maxDepth) throw malformed('nested too deep')
      names = code === 0x7b ? new Set() : null
      nameIsDue = code === 0x7b
    } else if (code === 0x7d || code === 0x5d) {
      names = frames.pop() ?? null
      nameIsDue = false
    } else if (code === 0x2c) {
      nameIsDue = names !== null
    } else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      i = checkNumber(text, i)
    }
  }
}

function endOfString(text: string, start: number): number {
  let i = start + 1
  for (;;) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) return i
    i += code === BACKSLASH ? 2 : 1
  }
}

/** What a string stands for. The text as a whole has no lone surrogate, so one can only come out of an escape. */
function unescaped(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  if (!raw.includes('\\')) return raw
  const value: string = JSON.parse(text.slice(start, end + 1))
  if (!value.isWellFormed()) throw malformed('lone surrogate')
  return value
}

function checkNumber(text: string, start: number): number {
  let end = start + 1
  while (end < text.length && isNumeric(text.charCodeAt(end))) end++
  const value = Number(text.slice(start, end))
  if (!Number.isFinite(value)) throw malformed('number beyond the range')
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw malformed('integer beyond 2^53-1')
  return end - 1
}

/** 0-9 + - . e E */
const isNumeric = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) ||
  code === 0x2b ||
  code === 0x2d ||
  code === 0x2e ||
  code === 0x65 ||
  code === 0x45

/** Bytes of the text in UTF-8; not counted exactly where it is too long by its code units alone. */
const sizeOf = (text: string, maxBytes: number): number =>
  text.length > maxBytes ? text.length : utf8(text).length

const malformed = (reason: string) => refuse('malformed_message', reason, { rule: 'ATH-1.5' })
