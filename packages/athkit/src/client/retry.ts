import { AthError, HandshakeError } from '../errors.ts'
import { LONGEST_WAIT } from './refusal.ts'
import { backoff, type Sleep } from './time.ts'

/** How often one message is sent, all in all, before its sender gives up. */
const MOST_ATTEMPTS = 5

export interface Attempts {
  readonly sleep: Sleep
  readonly signal?: AbortSignal | undefined
  /** Seconds that may be spent waiting because the server said so; {@link LONGEST_WAIT}. */
  readonly patience?: number
  readonly onRetry?: ((error: HandshakeError | AthError, milliseconds: number) => void) | undefined
}

/**
 * Does something until it works: again after a lost answer, and after 429, 500 and 503 when `Retry-After` has passed (ATH-9). What is
 * done has to be the same each time, or harmless twice.
 */
export async function again<T>(attempts: Attempts, work: (attempt: number) => Promise<T>): Promise<T> {
  let patience = attempts.patience ?? LONGEST_WAIT
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      const wait = attempt + 1 < MOST_ATTEMPTS ? waitOf(error, attempt) : undefined
      if (wait === undefined || wait > patience * 1000) throw error
      patience -= wait / 1000
      attempts.onRetry?.(error as HandshakeError | AthError, wait)
      await attempts.sleep(wait, attempts.signal)
    }
  }
}

/** Milliseconds; undefined for what will not be otherwise the next time. */
function waitOf(error: unknown, attempt: number): number | undefined {
  if (error instanceof AthError) return error.trouble === 'transport_failed' ? backoff(attempt) : undefined
  if (!(error instanceof HandshakeError) || !error.retryable || error.code === 408) return undefined
  return error.retryAfter === undefined ? backoff(attempt) : error.retryAfter * 1000
}
