import type { Json, JsonObject } from '../crypto/json.ts'
import { AthError } from '../errors.ts'
import { checkErrorObject } from '../messages/error-object.ts'
import { Refused } from './refused.ts'

interface Input {
  readonly status: number
  readonly body: Json
}

/** errors.json: whether an error object conforms (ATH-9). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const { status, body } = input as unknown as Input
  try {
    const { code, error } = checkErrorObject(status, body)
    return { code, error }
  } catch (error) {
    if (error instanceof AthError) throw new Refused({ code: 0, error: 'nonconforming' }, error)
    throw error
  }
}
