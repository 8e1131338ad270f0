import * as fc from 'fast-check'
import type { Json, JsonObject } from '../src/crypto/json.ts'

/** Names that mean something to a message, or that objects have of themselves. */
const NAMES = ['__proto__', 'constructor', 'toString', 'signature', 'nonce', 'timestamp', 'type', 'scopes']
const anyName = fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 }))
export const anyJson = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer(),
  fc.constant(null),
) as fc.Arbitrary<Json>
/** A change of a message: a place, an index into whatever members there are at each level, and what comes there; undefined takes it away. */
export const anyEdit = fc.record({
  path: fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 3 }),
  name: anyName,
  value: fc.option(anyJson, { nil: undefined }),
})
export type Edit = typeof anyEdit extends fc.Arbitrary<infer T> ? T : never

/** The text of a message with one change in it. Text, because `__proto__` is a member there like any other. */
export function editedText(message: Json, { path, name, value }: Edit): string {
  const [at = 0, ...deeper] = path
  if (typeof message === 'string') return JSON.stringify(changedCharacter(message, at))
  if (typeof message !== 'object' || message === null) return JSON.stringify(value ?? null)
  const isList = Array.isArray(message)
  const members = Object.entries(message).map(([member, held]) => [member, JSON.stringify(held)] as const)
  const index = at % (members.length + 1)
  const chosen = members[index]
  const inner = chosen === undefined ? undefined : (message as JsonObject)[chosen[0]]
  const after =
    chosen !== undefined && deeper.length > 0
      ? editedText(inner, { path: deeper, name, value })
      : value === undefined
        ? undefined
        : JSON.stringify(value)
  const kept = members.filter((_, i) => i !== index)
  const changed = after === undefined ? kept : [...kept, [chosen?.[0] ?? name, after] as const]
  const parts = changed.map(([member, text]) => (isList ? text : `${JSON.stringify(member)}:${text}`))
  return isList ? `[${parts.join()}]` : `{${parts.join()}}`
}

/** Signatures, shares, tokens and keys are strings: each of their characters counts. */
export function changedCharacter(text: string, at: number): string {
  const index = text.length === 0 ? 0 : (at * 31) % text.length
  return text.slice(0, index) + (text[index] === 'A' ? 'B' : 'A') + text.slice(index + 1)
}
