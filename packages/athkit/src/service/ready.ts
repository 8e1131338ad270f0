import { deadline } from '../net/time.ts'
import type { ServiceContext } from './context.ts'
import type { Draining } from './drain.ts'

/** Whether this process can be given requests. */
export type Readiness = 'ready' | 'draining' | 'store_unavailable'

const READ = [{ op: 'get', key: 'ready' }] as const

/** Asks the store, and waits for it no longer than so many milliseconds. */
export async function readiness(
  { store, now }: ServiceContext,
  { isDraining }: Draining,
  withinMs: number,
): Promise<Readiness> {
  if (isDraining) return 'draining'
  const { signal, clear } = deadline(withinMs, undefined)
  const late = new Promise<Readiness>((resolve) => {
    signal.addEventListener('abort', () => resolve('store_unavailable'), { once: true })
  })
  const asked = store.transact('health', READ, now()).then(
    (): Readiness => 'ready',
    (): Readiness => 'store_unavailable',
  )
  try {
    return await Promise.race([asked, late])
  } finally {
    clear()
  }
}
