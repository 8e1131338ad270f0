import type { MarkResult } from './store.ts'

/** A replay window of 1024 numbers (ATH-7.6): the highest marked, and which of those below it were. */
export interface ReplayWindow {
  /** −1 before the first. */
  readonly top: number
  /** Bit i says that `top` − i was marked; bit 0 is always set but before the first. */
  readonly bits: bigint
}

const SIZE = 1024
const MASK = (1n << BigInt(SIZE)) - 1n

export const emptyWindow: ReplayWindow = { top: -1, bits: 0n }

/** @param seq an integer from 0 to 2^53 − 1 */
export function mark(window: ReplayWindow, seq: number): MarkResult & { readonly window: ReplayWindow } {
  const { top, bits } = window
  if (seq > top) {
    const shift = seq - top
    const moved = shift >= SIZE ? 0n : (bits << BigInt(shift)) & MASK
    return answer(true, { top: seq, bits: moved | 1n })
  }
  const bit = 1n << BigInt(Math.min(top - seq, SIZE))
  const fresh = top - seq < SIZE && (bits & bit) === 0n
  return answer(fresh, fresh ? { top, bits: bits | bit } : window)
}

function answer(fresh: boolean, window: ReplayWindow) {
  return window.top >= Number.MAX_SAFE_INTEGER
    ? { fresh, window }
    : { fresh, window, nextSeq: window.top + 1 }
}

/** As text, for stores that keep text. */
export const encodeWindow = ({ top, bits }: ReplayWindow): string => `${top}:${bits.toString(16)}`

export function decodeWindow(text: string): ReplayWindow {
  const [top = '', bits = ''] = text.split(':')
  return { top: Number(top), bits: BigInt(`0x${bits}`) }
}
