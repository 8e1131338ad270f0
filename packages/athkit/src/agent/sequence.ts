/** The numbers of one epoch's requests (ATH-7.6): each is given out once, however many requests run at a time. */
export interface Sequence {
  /** undefined when none is left: the keys have to be changed. */
  next(): number | undefined
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
