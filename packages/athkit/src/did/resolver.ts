import { publicKeyFromMultikey } from '../crypto/keys.ts'
import { AthError, HandshakeError, refuse } from '../errors.ts'
import { parseDid } from './did.ts'
import { type DidDocument, documentOfKey } from './document.ts'

export interface Resolution {
  readonly document: DidDocument
  /** A deactivated DID resolves, and is refused by whoever asked (ATH-4.3: `identity_revoked`). */
  readonly deactivated?: boolean
  /** Where a named DID came from. */
  readonly registry?: {
    /** Whether the registry is configured as verifying the origins in its documents (ATH-6.1.5). */
    readonly verifiesOrigins: boolean
  }
}

export interface ResolveOptions {
  /** Passes over the cache, after a key mismatch; heeded once per DID and minute (ATH-4.4). */
  readonly fresh?: boolean
  readonly signal?: AbortSignal | undefined
}

export interface Resolver {
  /**
   * @throws HandshakeError `malformed_message` for what is no DID, `identity_unknown` for one that does not resolve,
   *   `resolver_unavailable` when that cannot be found out at present
   * @throws AthError `registry_violation` when the registry lies about it
   */
  resolve(did: string, options?: ResolveOptions): Promise<Resolution>
}

/** How DIDs of one method are found: undefined when there is none, a throw when that cannot be found out at present. */
export type DidMethod = (did: string, signal?: AbortSignal) => Promise<Resolution | undefined>

export interface ResolverOptions {
  /** By method name, such as `web`. Key forms are built in and cannot be replaced. */
  readonly methods?: ReadonlyMap<string, DidMethod>
  /** The one registry of named `did:ath` DIDs (ATH-4.1). */
  readonly registry?: { lookup: DidMethod }
  /** Unix seconds. */
  readonly now?: () => number
}

const FRESH_SECONDS = 300
const FAILED_SECONDS = 10
const REFRESH_SECONDS = 60
const MOST_CACHED = 10_000

interface Cached {
  readonly at: number
  readonly answer: Promise<Resolution>
  readonly failed: boolean
  readonly refreshedAt: number
}

/**
 * Key forms prove themselves and are not cached; the rest is kept for 300 s, a failure for 10 s (ATH-4.4). While a registry cannot
 * be reached, what is fresh in the cache still counts.
 */
export function createResolver(options: ResolverOptions = {}): Resolver {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const cache = new Map<string, Cached>()

  async function lookup(did: string, signal?: AbortSignal): Promise<Resolution> {
    const parsed = parseDid(did)
    const find = parsed.form === 'named' ? options.registry?.lookup : options.methods?.get(parsed.method)
    if (find === undefined)
      throw refuse('identity_unknown', `no way to resolve did:${parsed.method}`, { rule: 'ATH-4.2' })
    const found = await findOrRefuse(find, did, signal)
    if (found === undefined || found.document.id !== did) {
      throw refuse('identity_unknown', 'the DID does not resolve', { rule: 'ATH-4.3' })
    }
    return found
  }

  function remember(did: string, refreshedAt: number, signal?: AbortSignal): Promise<Resolution> {
    const answer = lookup(did, signal)
    const entry = { at: now(), answer, failed: false, refreshedAt }
    if (cache.size >= MOST_CACHED) cache.delete(cache.keys().next().value as string)
    cache.set(did, entry)
    answer.catch((error: unknown) => {
      if (cache.get(did) !== entry) return
      // What was cut short by its caller says nothing about the DID.
      if (signal?.aborted === true || !(error instanceof HandshakeError || isLie(error))) cache.delete(did)
      else cache.set(did, { ...entry, failed: true })
    })
    return answer
  }

  return {
    async resolve(did, { fresh = false, signal } = {}) {
      const parsed = parseDid(did)
      if (parsed.form === 'key')
        return { document: documentOfKey(did, await publicKeyFromMultikey(parsed.id)) }
      const cached = cache.get(did)
      if (cached === undefined) return remember(did, 0, signal)
      const age = now() - cached.at
      const mayRefresh = fresh && now() - cached.refreshedAt >= REFRESH_SECONDS
      if (mayRefresh) return remember(did, now(), signal)
      if (age < (cached.failed ? FAILED_SECONDS : FRESH_SECONDS)) return cached.answer
      return remember(did, cached.refreshedAt, signal)
    },
  }
}

/** That a registry lies is for the operator to know under its own name; a peer learns no more than that it does not resolve. */
const isLie = (error: unknown) => error instanceof AthError && error.trouble === 'registry_violation'

async function findOrRefuse(
  find: DidMethod,
  did: string,
  signal?: AbortSignal,
): Promise<Resolution | undefined> {
  try {
    return await find(did, signal)
  } catch (error) {
    if (error instanceof HandshakeError || isLie(error)) throw error
    throw refuse('resolver_unavailable', 'the DID cannot be resolved at present', {
      rule: 'ATH-4.3',
      retryAfter: 10,
      cause: error,
    })
  }
}
