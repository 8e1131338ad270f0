import { abortable } from '../client/index.ts'

/**
 * One run of the work at a time: whoever asks while it runs gets what it comes to. A caller's signal ends that caller's wait, not the
 * work, which others may be waiting for.
 */
export function singleFlight<T>(work: () => Promise<T>): (signal?: AbortSignal) => Promise<T> {
  let running: Promise<T> | undefined
  return (signal) => {
    running ??= work().finally(() => {
      running = undefined
    })
    return abortable(running, signal)
  }
}
