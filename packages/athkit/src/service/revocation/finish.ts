import { AthError } from '../../errors.ts'
import type { Bookkeeping } from '../context.ts'
import { endGrantsOfSuspended } from './agent.ts'
import { CASCADE_PREFIX, CASCADES, type Cascade, type CascadeRow } from './cascade.ts'
import { endCredential } from './credential.ts'
import { endGrantsOfLink, endGrantsOfParty } from './party.ts'

/** One that is younger is most likely still under way; to run it twice would do no harm. */
const LEFT_AFTER_SECONDS = 10
const PAGE = 100

/**
 * Finishes the revocations that a process left half done when it died.
 *
 * @returns how many
 * @throws AthError `store_unavailable`
 */
export async function finishCascades(context: Bookkeeping): Promise<number> {
  const now = context.now()
  const operations = [{ op: 'list', prefix: CASCADE_PREFIX, limit: PAGE }] as const
  const { results } = await context.store.transact(CASCADES, operations, now)
  const left = (results[0] ?? []).filter(
    ({ value }) => (JSON.parse(value) as CascadeRow).at + LEFT_AFTER_SECONDS <= now,
  )
  for (const { key, value } of left) {
    await run(context, (JSON.parse(value) as CascadeRow).cascade)
    await context.store.transact(CASCADES, [{ op: 'delete', key }], context.now())
  }
  return left.length
}

function run(context: Bookkeeping, cascade: Cascade): Promise<number> {
  switch (cascade.kind) {
    case 'credential':
      return endCredential(context, cascade)
    case 'party':
      return endGrantsOfParty(context, cascade)
    case 'agent':
      return endGrantsOfSuspended(context, cascade)
    case 'link':
      return endGrantsOfLink(context, cascade)
  }
}

const LOOK_EVERY_MS = 10_000
const lookedAt = new WeakMap<Bookkeeping, number>()

/**
 * Looks for them in the background, every ten seconds as long as anything is asked of this process that a revoked grant could still
 * be used for. Nothing runs while nobody asks.
 */
export function finishNowAndThen(context: Bookkeeping & { nowMs(): number }): void {
  const now = context.nowMs()
  const last = lookedAt.get(context)
  if (last !== undefined && now - last < LOOK_EVERY_MS && now >= last) return
  lookedAt.set(context, now)
  finishCascades(context).catch((cause: unknown) => {
    // Whoever asked is told so, and the next look is not far.
    const isStore = cause instanceof AthError && cause.trouble === 'store_unavailable'
    if (!isStore) context.emit({ type: 'failed', where: 'finishing a revocation', cause })
  })
}
