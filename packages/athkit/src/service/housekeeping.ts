import type { ServiceContext } from './context.ts'

const EVERY_MS = 30_000
const AT_ONCE = 500
/** In one go: what is left is for the next, or another process. */
const MOST = 20_000

/**
 * Removes rows that have expired, now and then. Nothing waits for it, and nothing goes wrong without it but that the store grows.
 *
 * @returns what ends it
 */
export function keepHouse({ store, now, emit }: Pick<ServiceContext, 'store' | 'now' | 'emit'>): () => void {
  let busy = false

  async function sweep(): Promise<void> {
    if (busy) return
    busy = true
    try {
      for (let swept = 0; swept < MOST; swept += AT_ONCE) {
        if ((await store.sweep(now(), AT_ONCE)) < AT_ONCE) return
      }
    } catch (cause) {
      emit({ type: 'failed', where: 'sweeping the store', cause })
    } finally {
      busy = false
    }
  }

  const timer = setInterval(() => void sweep(), EVERY_MS)
  if (typeof timer === 'object') timer.unref()
  return () => clearInterval(timer)
}
