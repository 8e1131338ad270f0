import { decodeJwt, type Json, type JsonObject } from 'athkit/crypto'
import type { Findings } from './findings.ts'
import type { Known } from './known.ts'

/** What an inspector works with: where it writes down what it found, what it may know, and whom it gives what stands inside. */
export interface Place {
  readonly findings: Findings
  readonly known: Known
  /** A credential or a message inside this one is looked at as one of its own. */
  nest(part: Json): Promise<void>
}

/** Looks at one message, rule by rule. */
export type Inspect = (message: JsonObject, place: Place) => Promise<void>

/** The `typ` of what stands inside; undefined where it is no JWT. */
export function typOf(token: Json): Json {
  try {
    return decodeJwt(token).header.typ
  } catch {
    return undefined
  }
}
