import { isDeepStrictEqual } from 'node:util'
import type { Json, JsonObject } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'

/** How a member of `expected` is compared, where not as a JSON value: both sides are first brought to one form. */
export type Normalize = (value: Json) => Json

/** A list in any order. */
export const asSet: Normalize = (value) => (Array.isArray(value) ? [...value].sort() : value)

/** Restrictions: a value joined by ", " is the set of its parts, a list of networks a set. */
export const asRestrictions: Normalize = (value) =>
  isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asParts(member)]))
    : value

const asParts = (member: Json): Json =>
  typeof member === 'string' ? [...new Set(member.split(', '))].sort() : asSet(member)

/** Why what came out is not what was expected; undefined when every member of `expected` is there and equal. */
export function whyUnequal(
  actual: JsonObject,
  expected: JsonObject,
  normalize: ReadonlyMap<string, Normalize>,
): string | undefined {
  for (const [name, value] of Object.entries(expected)) {
    const form = normalize.get(name) ?? ((json) => json)
    if (actual[name] === undefined) return `${name} did not come out`
    const [is, should] = [form(actual[name]), form(value)]
    if (!isDeepStrictEqual(asJson(is), asJson(should))) return `${name} is ${show(is)}, not ${show(should)}`
  }
  return undefined
}

/** As it would be written: a member that is `undefined` is absent, `-0` is `0`. */
const asJson = (value: Json): unknown => JSON.parse(JSON.stringify(value))

export interface RefusalRules {
  /** `error` and `code` say nothing here: the file calls them advice. */
  readonly advice: boolean
  /** The values of `at` in order, where a refusal may come earlier than the file says. */
  readonly atTheLatest: readonly string[]
}

/**
 * Why a refusal is not the expected one; undefined when it is. Its error is compared where it has one and the file does not call it
 * advice; every other member, `at` and `seq` among them, always.
 */
export function whyOtherRefusal(
  told: JsonObject,
  expected: JsonObject,
  { advice, atTheLatest }: RefusalRules,
): string | undefined {
  const { code, error, also, at, ...others } = expected
  if (error !== undefined && told.error !== undefined && !advice) {
    const good = [{ code, error }, ...(Array.isArray(also) ? also : [])]
    if (!good.some((one) => isObject(one) && one.error === told.error && one.code === told.code)) {
      return `refused as ${show({ code: told.code, error: told.error })}, not ${show(good)}`
    }
  }
  if (at !== undefined && !isInTime(told.at, at, atTheLatest)) {
    return `refused at ${show(told.at)}, not ${show(at)}`
  }
  for (const [name, value] of Object.entries(others)) {
    if (told[name] !== value) return `${name} is ${show(told[name])}, not ${show(value)}`
  }
  return undefined
}

function isInTime(told: Json, expected: Json, order: readonly string[]): boolean {
  if (typeof told !== 'string' || typeof expected !== 'string') return told === expected
  const [is, latest] = [order.indexOf(told), order.indexOf(expected)]
  return is >= 0 && is <= latest
}

function show(value: Json): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 160 ? `${text.slice(0, 160)}…` : text
}
