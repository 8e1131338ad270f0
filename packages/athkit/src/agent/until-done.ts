import { backoff, LONGEST_WAIT } from '../client/index.ts'
import { HandshakeError } from '../errors.ts'
import { shakeHands } from './connect.ts'
import type { Established } from './established.ts'
import { type Prepared, toldApart } from './from-vault.ts'
import { explained } from './our-settings.ts'
import { WouldAsk } from './pending.ts'

/** ATH-9. */
const MOST_RETRIES = 3

/** A handshake that timed out, or is not known any more, begins anew: at most three times, each after a longer while (ATH-9). */
export async function shakeUntilDone(prepared: Prepared, origin: string): Promise<Established> {
  const { agent, wish, knownServer } = prepared
  for (let retries = 0; ; retries++) {
    try {
      return await shakeHands(agent, origin, wish)
    } catch (error) {
      const wait = retries < MOST_RETRIES ? waitBefore(error, retries) : undefined
      if (wait === undefined) throw explained(toldApart(error, origin, knownServer))
      wish.onStep?.({ type: 'retrying', reason: (error as Error).message, milliseconds: wait })
      await agent.sleep(wait, wish.signal)
    }
  }
}

/** Milliseconds; undefined for what a new handshake would not change. */
function waitBefore(error: unknown, retries: number): number | undefined {
  if (!(error instanceof HandshakeError)) return undefined
  if (error.code === 408 || error.error === 'handshake_unknown') return backoff(retries + 1)
  // Longer than a handshake lives: it was given up meanwhile.
  const { retryAfter } = error
  const worthIt = error.retryable && retryAfter !== undefined && retryAfter <= LONGEST_WAIT
  return worthIt ? retryAfter * 1000 : undefined
}

/** Nobody is asked behind their back: as soon as somebody would be, it is given up (ATH-7.11). @returns undefined then */
export async function shakeSilently(
  { agent, wish }: Prepared,
  origin: string,
): Promise<Established | undefined> {
  const { signal: _, ...rest } = wish
  try {
    return await shakeHands(agent, origin, { ...rest, silent: true })
  } catch (error) {
    if (error instanceof WouldAsk) return undefined
    throw error
  }
}
