import { refuse } from '../errors.ts'
import { sleep } from '../net/time.ts'
import type { ServiceContext } from './context.ts'
import { nodeState } from './sealed/state.ts'

/** A process that is to stop: what is open comes to its end, within a time, and nothing new begins. */
export interface Draining {
  readonly isDraining: boolean
  /** Counts a call as open until it is answered. */
  run<T>(work: () => Promise<T>): Promise<T>
  /** @throws HandshakeError 503 with `Retry-After`: another node takes it, or this one once it has started again */
  admitNew(): void
  /** Aborted with the caller's, and when draining begins: what only waits is answered at once. `done` lets go of it. */
  waiting(signal: AbortSignal | undefined): { readonly signal: AbortSignal; done(): void }
  /**
   * Refuses new handshakes, ends long-polls and streams of questions, waits for what is open, cuts the streamed answers that are left at
   * the end of the time, and gives the audit's entries their places. The store stays open: whoever opened it closes it.
   *
   * @throws AthError `store_unavailable`: entries still lie in the outboxes, where another process finds them
   */
  drain(options?: { readonly withinSeconds?: number }): Promise<Drained>
}

export interface Drained {
  /** Streamed answers and calls that had not come to their end. */
  readonly cut: number
}

const WITHIN_SECONDS = 10
const LOOK_EVERY_MS = 20
const RETRY_AFTER_SECONDS = 5

/** @param stop ends what the process does in the background */
export function createDraining(context: ServiceContext, stop: () => void = () => undefined): Draining {
  const begun = new AbortController()
  let open = 0
  const streams = () => nodeState(context).streams

  return {
    get isDraining() {
      return begun.signal.aborted
    },

    async run(work) {
      open += 1
      try {
        return await work()
      } finally {
        open -= 1
      }
    },

    admitNew() {
      if (!begun.signal.aborted) return
      throw refuse('store_unavailable', 'this process is being stopped', { retryAfter: RETRY_AFTER_SECONDS })
    },

    waiting(signal) {
      const either = new AbortController()
      const end = () => either.abort()
      const both = signal === undefined ? [begun.signal] : [begun.signal, signal]
      for (const one of both) {
        if (one.aborted) end()
        else one.addEventListener('abort', end, { once: true })
      }
      const done = () => {
        for (const one of both) one.removeEventListener('abort', end)
      }
      return { signal: either.signal, done }
    },

    async drain({ withinSeconds = WITHIN_SECONDS } = {}) {
      begun.abort()
      const end = performance.now() + withinSeconds * 1000
      while (open + streams().size > 0 && performance.now() < end) await sleep(LOOK_EVERY_MS)
      const cut = open + streams().size
      streams().cutAll()
      stop()
      await context.audit.close()
      return { cut }
    },
  }
}
