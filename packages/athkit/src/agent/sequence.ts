import type { Awaitable } from '../crypto/bytes.ts'

/** The numbers of one epoch's requests (ATH-7.6): each is given out once, however many requests run at a time. */
export interface Sequence {
  /** undefined when none is left: the keys have to be changed. */
  next(): Awaitable<number | undefined>
  /** Where the server says to go on; never back. */
  jumpTo(next: number): void
}

export function createSequence(first = 0): Sequence {
  let upcoming = first
  return {
    next: () => (upcoming < Number.MAX_SAFE_INTEGER ? upcoming++ : undefined),
    jumpTo(next) {
      if (next > upcoming) upcoming = next
    },
  }
}

/** How many numbers are set aside at a time: a crash leaves at most so many unused, and a write stands before so many requests. */
const BLOCK = 64

/** Sets numbers aside for this process alone, durably. @returns the first; undefined when none is left */
export type Reserve = (from: number, count: number) => Promise<number | undefined>

/**
 * Numbers that outlive the process: set aside in the vault before the first of them is used, so that neither a crash nor another
 * process makes one of them be used twice.
 */
export function createKeptSequence(reserve: Reserve): Sequence {
  let upcoming = 0
  let end = 0
  let floor = 0
  let reserving: Promise<boolean> | undefined

  async function next(): Promise<number | undefined> {
    while (upcoming >= end) {
      reserving ??= setAside().finally(() => {
        reserving = undefined
      })
      if (!(await reserving)) return undefined
    }
    return upcoming++
  }

  async function setAside(): Promise<boolean> {
    const first = await reserve(floor, BLOCK)
    if (first === undefined) return false
    upcoming = Math.max(first, floor)
    end = first + BLOCK
    return true
  }

  return {
    next,
    jumpTo(next) {
      floor = Math.max(floor, next)
      upcoming = Math.max(upcoming, Math.min(next, end))
    },
  }
}
