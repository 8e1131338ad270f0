import type { JsonObject } from '../crypto/json.ts'
import { AthError, HandshakeError } from '../errors.ts'

/** What a vector file compares of a refusal that has no error of the wire, or says more than one: `at`, `seq`, `denied`… */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly members: JsonObject

  constructor(members: JsonObject, cause?: unknown) {
    super(JSON.stringify(members), { cause })
    this.members = members
  }
}

/**
 * Runs one part of a check; what it refuses gets `members` beside its error. Anything else it throws is a crash and stays one.
 */
export async function refusedWith<T>(members: JsonObject, part: () => T | Promise<T>): Promise<T> {
  try {
    return await part()
  } catch (error) {
    const told = membersOf(error)
    throw told === undefined ? error : new Refused({ ...told, ...members }, error)
  }
}

/** The members of a refusal that can be compared; undefined when it is no refusal but a crash. */
export function membersOf(error: unknown): JsonObject | undefined {
  if (error instanceof Refused) return error.members
  if (error instanceof HandshakeError) {
    return { code: error.code, error: error.error, ...placeOf(error) }
  }
  if (error instanceof AthError) return placeOf(error)
  const place = error instanceof Error ? placeOf(error) : {}
  return Object.keys(place).length > 0 ? place : undefined
}

/** `at` and `seq`, where an error carries them: the first place that is wrong. */
function placeOf(error: Error): JsonObject {
  const { at, seq } = error as { readonly at?: unknown; readonly seq?: unknown }
  return {
    ...(typeof at === 'number' || typeof at === 'string' ? { at } : {}),
    ...(typeof seq === 'number' ? { seq } : {}),
  }
}
