import type { Awaitable } from '../crypto/bytes.ts'

/** How far the history of a DID was seen: the last operation, by its place and its hash (ATH-4.6). */
export interface Pin {
  readonly seq: number
  /** H(operation, signatures included). */
  readonly head: string
}

/**
 * What a resolver remembers of the histories it accepted. Whoever forgets it can be shown another history; so it belongs where the
 * program keeps its other state.
 */
export interface Pins {
  get(did: string): Awaitable<Pin | undefined>
  /**
   * Moves the pin of a DID. Of any number of callers that move it from one place, exactly one does.
   *
   * @param from where it has to stand; undefined where there has to be none
   * @returns whether it was moved
   */
  advance(did: string, from: Pin | undefined, to: Pin): Awaitable<boolean>
}

export const samePin = (a: Pin | undefined, b: Pin | undefined): boolean =>
  a?.seq === b?.seq && a?.head === b?.head

const MOST_PINS = 100_000

/** For the life of one process, at most 100 000 DIDs: what was moved longest ago makes room. */
export function memoryPins(): Pins {
  const pins = new Map<string, Pin>()
  return {
    get: (did) => pins.get(did),
    advance(did, from, to) {
      if (!samePin(pins.get(did), from)) return false
      pins.delete(did)
      if (pins.size >= MOST_PINS) pins.delete(pins.keys().next().value as string)
      pins.set(did, to)
      return true
    },
  }
}
