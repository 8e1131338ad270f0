import { AthError } from '../../errors.ts'
import type { ServiceContext } from '../context.ts'
import type { Claim } from './idempotency.ts'
import { nodeState } from './state.ts'

/** Seconds between two looks, once the store answers: what it was sent before can still come to pass. */
const LOOKS_AFTER = [0, 1, 3]
const AGAIN_AFTER_SECONDS = 1

/** Whether nobody knows if a transaction happened. */
export const isUnknown = (error: unknown): boolean =>
  error instanceof AthError && error.trouble === 'store_unavailable'

/**
 * A claim that may have been entered though the store did not say so. Its handler never ran, and will not: once the store answers again
 * the row is removed, so that the same request can be made anew. Until then it counts as running: whoever asks is told `in_progress`,
 * and comes again (ATH-7.7).
 */
export function forsakeClaim(context: ServiceContext, partition: string, claim: Claim): void {
  const { running, instance } = nodeState(context)
  let looks = 0

  function later(seconds: number): void {
    const timer = setTimeout(() => void look(), seconds * 1000)
    if (typeof timer === 'object') timer.unref()
  }

  async function look(): Promise<void> {
    try {
      if (await removeOwn(context, partition, claim, instance)) looks = LOOKS_AFTER.length
      else looks++
    } catch {
      // The store has not come back yet; what it is in trouble with was told when it began.
      return later(AGAIN_AFTER_SECONDS)
    }
    const next = LOOKS_AFTER[looks]
    if (next === undefined) running.delete(claim.run)
    else later(next)
  }

  later(LOOKS_AFTER[0] ?? 0)
}

/** @returns whether it was there, and is no more */
async function removeOwn(
  { store, now }: ServiceContext,
  partition: string,
  { key, run }: Claim,
  instance: string,
): Promise<boolean> {
  const { results } = await store.transact(partition, [{ op: 'get', key }], now())
  const [row] = results
  if (row === undefined) return false
  const held = JSON.parse(row.value) as { readonly instance: string; readonly run: number }
  if (held.instance !== instance || held.run !== run) return false
  const { outcome } = await store.transact(partition, [{ op: 'delete', key, if: row.version }], now())
  return outcome === 'done'
}
