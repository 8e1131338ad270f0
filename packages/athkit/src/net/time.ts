/** How long things take, and who may stop them: everything that waits goes through here, so that nothing waits for ever. */

/** Waits; rejects with the signal's reason as soon as it is aborted. */
export type Sleep = (milliseconds: number, signal?: AbortSignal) => Promise<void>

export const sleep: Sleep = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', onAbort, { once: true })
  })

/**
 * The promise, or the signal's reason as soon as it is aborted. What the promise comes to later is let go: a callee that ignores its
 * signal holds nobody up.
 *
 * @param onLate is given what comes after the abort
 */
export function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  onLate: (late: T) => void = () => undefined,
): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason)
      promise.then(onLate, () => undefined)
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

export interface Deadline {
  readonly signal: AbortSignal
  /** Whether it was the time that ran out, and not the caller's signal that was aborted. */
  readonly expired: () => boolean
  /** To be called when all is done: no timer outlives its work. */
  readonly clear: () => void
  /** Takes the limit away; the caller's signal still counts. */
  readonly detach: () => void
}

/** A signal that is aborted after so many milliseconds, or with the caller's. */
export function deadline(milliseconds: number, signal: AbortSignal | undefined): Deadline {
  const controller = new AbortController()
  let timedOut = false
  const onAbort = (): void => controller.abort(signal?.reason)
  const timer = setTimeout(() => {
    timedOut = true
    controller.abort(new DOMException('no answer in time', 'TimeoutError'))
  }, milliseconds)
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    expired: () => timedOut,
    clear() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    },
    detach: () => clearTimeout(timer),
  }
}

/**
 * Milliseconds before the attempt of this number (from 0) is made again: 250, 500, 1000 … at most 8000, each shortened by up to half
 * at random, so that those who failed together do not come back together.
 *
 * @param random from 0 to 1
 */
export function backoff(attempt: number, random: number = Math.random()): number {
  const full = Math.min(250 * 2 ** attempt, 8000)
  return Math.round(full * (1 - random / 2))
}
