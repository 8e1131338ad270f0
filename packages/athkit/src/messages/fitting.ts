import { utf8 } from '../crypto/bytes.ts'
import { type JsonObject, MAX_BYTES } from '../crypto/json.ts'

/** Bytes around the entries: the one member that holds them. */
const AROUND = 64

/** The first entries of a listing, as many as one body may hold (ATH-1.1). */
export function fitting<Entry extends JsonObject>(entries: readonly Entry[]): readonly Entry[] {
  let left = MAX_BYTES - AROUND
  const end = entries.findIndex((entry) => {
    left -= sizeOf(entry) + 1
    return left < 0
  })
  return end < 0 ? entries : entries.slice(0, end)
}

export const sizeOf = (entry: JsonObject): number => utf8(JSON.stringify(entry)).length
