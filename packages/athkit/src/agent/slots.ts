import { abortable } from '../client/index.ts'

/** Lets so many through at a time, the others in the order in which they came. */
export interface Slots {
  /** @returns what to call when done, once or more often */
  take(signal: AbortSignal | undefined): Promise<() => void>
}

export function createSlots(most: number): Slots {
  let free = most
  const queue: (() => void)[] = []

  function release(): void {
    const next = queue.shift()
    if (next === undefined) free++
    else next()
  }

  function once(): () => void {
    let released = false
    return () => {
      if (!released) release()
      released = true
    }
  }

  return {
    async take(signal) {
      signal?.throwIfAborted()
      if (free > 0) {
        free--
        return once()
      }
      let turn: () => void = () => undefined
      const waited = new Promise<void>((resolve) => {
        turn = resolve
      })
      queue.push(turn)
      try {
        await abortable(waited, signal)
        return once()
      } catch (error) {
        const at = queue.indexOf(turn)
        // Its turn had come just before it gave up: the next one takes it.
        if (at < 0) release()
        else queue.splice(at, 1)
        throw error
      }
    },
  }
}
