import type { ServiceContext } from '../context.ts'

/**
 * Whether the process that a row names is still there (ATH-7.7): each one that runs a request under an `Idempotency-Key` beats, so
 * that another node can tell a handler that runs from one that died. It is not on the way of a request but for the first.
 */
export interface Liveness {
  /** Before the first row that names this process. */
  ensure(): Promise<void>
  isAlive(instance: string): Promise<boolean>
}

const BEAT_MS = 5000
const DEAD_AFTER_SECONDS = 15

const partitionOf = (instance: string) => `node:${instance}`

export function createLiveness(context: ServiceContext, instance: string, isNeeded: () => boolean): Liveness {
  let beatAt = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setInterval> | undefined

  async function beat(): Promise<void> {
    const now = context.now()
    const expiresAt = now + DEAD_AFTER_SECONDS
    await context.store.transact(
      partitionOf(instance),
      [{ op: 'put', key: 'alive', value: '', expiresAt }],
      now,
    )
    beatAt = context.nowMs()
  }

  function tick(): void {
    if (isNeeded()) {
      // A beat that is lost is followed by another; what it costs is an `outcome_unknown` too early.
      beat().catch((cause: unknown) => context.emit({ type: 'failed', where: 'liveness', cause }))
      return
    }
    clearInterval(timer)
    timer = undefined
  }

  return {
    async ensure() {
      if (timer === undefined) {
        timer = setInterval(tick, BEAT_MS)
        if (typeof timer === 'object') timer.unref()
      }
      if (context.nowMs() - beatAt >= BEAT_MS) await beat()
    },
    async isAlive(other) {
      if (other === instance) return true
      const operations = [{ op: 'get', key: 'alive' }] as const
      const { results } = await context.store.transact(partitionOf(other), operations, context.now())
      return results[0] !== undefined
    },
  }
}
