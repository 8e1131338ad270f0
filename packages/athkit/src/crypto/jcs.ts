import { refuse } from '../errors.ts'
import { type Awaitable, toBase64url } from './bytes.ts'
import type { Json, JsonObject } from './json.ts'
import { port } from './port.ts'

/** Deeper than any message or flight can be; what is deeper is refused before the stack is at risk. */
const DEPTH_CAP = 64

/**
 * The canonical form of a JSON value (RFC 8785): members sorted by UTF-16 code units, numbers and strings as ECMAScript writes
 * them. A member that is `undefined` is absent.
 *
 * @throws HandshakeError `malformed_message` for lone surrogates, integers beyond ±(2⁵³−1), non-finite numbers (ATH-1.5)
 */
export function canonicalize(value: Json): string {
  return write(value, 0)
}

const texts = new WeakMap<object, string>()

/** The canonical form of a message that several hashes cover and nobody changes: written once. */
export function canonicalMessage(message: JsonObject): string {
  const known = texts.get(message)
  if (known !== undefined) return known
  const text = canonicalize(message)
  texts.set(message, text)
  return text
}

function write(value: Json, depth: number): string {
  if (depth > DEPTH_CAP) throw malformed('nested too deep')
  switch (typeof value) {
    case 'string':
      return writeString(value)
    case 'number':
      if (!Number.isFinite(value)) throw malformed('number beyond the range')
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw malformed('integer beyond 2^53-1')
      return value === 0 ? '0' : String(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value)
        ? writeArray(value, depth)
        : writeObject(value as { [name: string]: Json }, depth)
    default:
      throw malformed('no JSON value')
  }
}

/** ASCII without quotes, backslashes and controls, as nearly every string here is, stands as it is. */
const PLAIN = /^[ !#-[\]-~]*$/

const names = new Map<string, string>()
const MOST_NAMES = 512
const LONGEST_NAME = 32

/** A member's name with its colon. The same few names come in every message; strangers can add some, short ones, and no more. */
function writeName(name: string): string {
  const known = names.get(name)
  if (known !== undefined) return known
  const text = `${writeString(name)}:`
  if (names.size < MOST_NAMES && name.length <= LONGEST_NAME) names.set(name, text)
  return text
}

function writeString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  if (!text.isWellFormed()) throw malformed('lone surrogate')
  return JSON.stringify(text)
}

function writeArray(values: readonly Json[], depth: number): string {
  let text = '['
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ','
    text += write(values[i], depth + 1)
  }
  return `${text}]`
}

function writeObject(members: { readonly [name: string]: Json }, depth: number): string {
  let text = '{'
  for (const name of inOrder(Object.keys(members))) {
    const value = members[name]
    if (value === undefined) continue
    if (text.length > 1) text += ','
    text += writeName(name)
    text += write(value, depth + 1)
  }
  return `${text}}`
}

/** So few names are in order sooner than `sort` has begun. */
const FEW = 16

/** By UTF-16 code units, as RFC 8785 has it, and both `sort` by default and `>`. */
function inOrder(names: string[]): readonly string[] {
  if (names.length > FEW) return names.sort()
  for (let i = 1; i < names.length; i++) {
    const name = names[i] as string
    let at = i
    for (; at > 0 && (names[at - 1] as string) > name; at--) names[at] = names[at - 1] as string
    names[at] = name
  }
  return names
}

/** @param data of a text, its UTF-8 */
export const sha256 = (data: Uint8Array | string): Awaitable<Uint8Array> => port.sha256(data)

/** `H(x)` of the profile: base64url of SHA-256 over the canonical form. */
export const hash = (value: Json): Awaitable<string> => hashText(canonicalize(value))

/** `H(x)` of a message that other hashes cover as well. */
export const hashMessage = (message: JsonObject): Awaitable<string> => hashText(canonicalMessage(message))

function hashText(text: string): Awaitable<string> {
  const digest = sha256(text)
  return digest instanceof Promise ? digest.then(toBase64url) : toBase64url(digest)
}

const malformed = (reason: string) => refuse('malformed_message', reason, { rule: 'ATH-1.5' })
