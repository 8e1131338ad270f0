/**
 * Wakes what waits in this process for something to change: an answer, a question, a revocation. It is a hint and no more: other
 * nodes are not heard, so whoever waits looks again every second, and the store alone says what is.
 */
export interface Hub {
  wake(topic: string): void
  /** Begins to listen; what is woken before `next` is called is not lost. It must be closed. */
  listen(topic: string): Listener
  /** How many listen to the topic. */
  listening(topic: string): number
}

export interface Listener {
  /** Resolves when the topic was woken, the signal aborts, or the time is over; never rejects. */
  next(milliseconds: number, signal?: AbortSignal): Promise<void>
  close(): void
}

export const LOOK_AGAIN_MS = 1000

export function createHub(): Hub {
  const topics = new Map<string, Set<() => void>>()

  function listen(topic: string): Listener {
    let woken = false
    let resume: (() => void) | undefined
    const onWake = () => {
      woken = true
      resume?.()
    }
    const listeners = topics.get(topic) ?? new Set()
    topics.set(topic, listeners.add(onWake))
    return {
      next: (milliseconds, signal) =>
        new Promise((resolve) => {
          const done = () => {
            clearTimeout(timer)
            signal?.removeEventListener('abort', done)
            resume = undefined
            woken = false
            resolve()
          }
          const timer = setTimeout(done, Math.max(0, milliseconds))
          resume = done
          signal?.addEventListener('abort', done, { once: true })
          if (woken || signal?.aborted === true) done()
        }),
      close: () => {
        listeners.delete(onWake)
        if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic)
      },
    }
  }

  return {
    listen,
    wake: (topic) => {
      for (const onWake of [...(topics.get(topic) ?? [])]) onWake()
    },
    listening: (topic) => topics.get(topic)?.size ?? 0,
  }
}

export const handshakeTopic = (id: string) => `handshake:${id}`
export const userTopic = (userDid: string) => `user:${userDid}`
