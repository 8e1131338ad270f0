import { publicKeyFromMultikey } from '../crypto/keys.ts'
import { AthError, type ErrorName, HandshakeError, refuse } from '../errors.ts'
import { abortable } from '../net/time.ts'
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
    /** Whether it is configured as verifying what its documents say of agents: their `name` and `developer` (ATH-6.3.1). */
    readonly verifiesAgents?: boolean
  }
}

export interface ResolveOptions {
  /** Passes over the cache, after a key mismatch; heeded once per DID and minute (ATH-4.4). */
  readonly fresh?: boolean
  /** Seconds: what was found longer ago is looked up again, beside the once in a minute of `fresh`; 300, and never more. */
  readonly maxAgeSeconds?: number
  /** On whose say-so, as one group of network addresses: nobody has more than a few fetches made at once (ATH-4.4). */
  readonly requester?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Resolver {
  /**
   * @throws HandshakeError `malformed_message` for what is no DID, `identity_unknown` for one that does not resolve,
   *   `resolver_unavailable` when that cannot be found out at present
   *   (also what it throws of its own: `rate_limited` for a requester who wants too much at once)
   * @throws AthError `registry_violation` when the registry lies about it
   * @throws the signal's reason
   */
  resolve(did: string, options?: ResolveOptions): Promise<Resolution>
}

/**
 * How DIDs of one method are found, in bounded time: undefined when there is none, a throw when that cannot be found out at present.
 *
 * @param requester as in {@link ResolveOptions}
 */
export type DidMethod = (did: string, requester?: string) => Promise<Resolution | undefined>

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
const MOST_KEY_FORMS = 1024

interface Cached {
  readonly at: number
  readonly answer: Promise<Resolution>
  readonly failed: boolean
  readonly refreshedAt: number
}

/**
 * Key forms prove themselves, and never change; the rest is kept for 300 s, a failure for 10 s (ATH-4.4). While a DID cannot be
 * resolved, what is fresh in the cache still counts (ATH-4.3).
 */
export function createResolver(options: ResolverOptions = {}): Resolver {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const cache = new Map<string, Cached>()
  const lookingPast = new Map<string, Promise<Resolution>>()
  const keyForms = new Map<string, Resolution>()

  /** It says all there is to know: this saves decoding it, and importing the key, once more. */
  async function keyForm(did: string, multikey: string): Promise<Resolution> {
    const resolution = { document: documentOfKey(did, await publicKeyFromMultikey(multikey)) }
    if (keyForms.size >= MOST_KEY_FORMS) keyForms.delete(keyForms.keys().next().value as string)
    keyForms.set(did, resolution)
    return resolution
  }

  async function lookup(did: string, requester?: string): Promise<Resolution> {
    const parsed = parseDid(did)
    const find = parsed.form === 'named' ? options.registry?.lookup : options.methods?.get(parsed.method)
    if (find === undefined)
      throw refuse('identity_unknown', `no way to resolve did:${parsed.method}`, { rule: 'ATH-4.2' })
    const found = await findOrRefuse(find, did, requester)
    if (found === undefined || found.document.id !== did) {
      throw refuse('identity_unknown', 'the DID does not resolve', { rule: 'ATH-4.3' })
    }
    return found
  }

  function keep(did: string, entry: Cached): void {
    if (cache.size >= MOST_CACHED && !cache.has(did)) cache.delete(cache.keys().next().value as string)
    cache.set(did, entry)
  }

  /** Everybody who asks meanwhile gets the one answer; no one caller can cut it short for the others. */
  function remember(did: string, refreshedAt: number, requester?: string): Promise<Resolution> {
    const answer = lookup(did, requester)
    const entry = { at: now(), answer, failed: false, refreshedAt }
    keep(did, entry)
    answer.catch((error: unknown) => {
      if (cache.get(did) !== entry) return
      // What a requester may not do now says nothing about the DID.
      if (isLimit(error) || !(error instanceof HandshakeError || isLie(error))) cache.delete(did)
      else cache.set(did, { ...entry, failed: true })
    })
    return answer
  }

  /** The cached answer stands until there is another: nobody is shut out by a wrong key shown while a registry is out of reach. */
  async function refresh(
    did: string,
    cached: Cached,
    refreshedAt: number,
    requester?: string,
  ): Promise<Resolution> {
    keep(did, { ...cached, refreshedAt })
    const answer = lookup(did, requester)
    try {
      await answer
    } catch (error) {
      if (isPassing(error)) return cached.answer
      keep(did, { at: now(), answer, failed: true, refreshedAt })
      throw error
    }
    keep(did, { at: now(), answer, failed: false, refreshedAt })
    return answer
  }

  /** After a key mismatch. Whoever else meets another key meanwhile waits for the same look: the minute's one is theirs too. */
  function lookPast(did: string, cached: Cached, requester?: string): Promise<Resolution> {
    const looking = refresh(did, cached, now(), requester).finally(() => lookingPast.delete(did))
    lookingPast.set(did, looking)
    return looking
  }

  return {
    async resolve(did, { fresh = false, maxAgeSeconds = FRESH_SECONDS, requester, signal } = {}) {
      const known = keyForms.get(did)
      if (known !== undefined) return known
      const parsed = parseDid(did)
      if (parsed.form === 'key') return keyForm(did, parsed.id)
      const cached = cache.get(did)
      if (cached === undefined) return abortable(remember(did, 0, requester), signal)
      const isFresh = now() - cached.at < (cached.failed ? FAILED_SECONDS : FRESH_SECONDS)
      if (!isFresh) return abortable(remember(did, cached.refreshedAt, requester), signal)
      const looking = fresh ? lookingPast.get(did) : undefined
      if (looking !== undefined) return abortable(looking, signal)
      const mayLook = fresh && !cached.failed && now() - cached.refreshedAt >= REFRESH_SECONDS
      if (mayLook) return abortable(lookPast(did, cached, requester), signal)
      const isOld = !cached.failed && now() - cached.at >= maxAgeSeconds
      return abortable(isOld ? refresh(did, cached, cached.refreshedAt, requester) : cached.answer, signal)
    },
  }
}

const isNamed = (error: unknown, names: readonly ErrorName[]) =>
  error instanceof HandshakeError && names.includes(error.error)

const isLimit = (error: unknown) => isNamed(error, ['rate_limited'])

const isPassing = (error: unknown) => isNamed(error, ['rate_limited', 'resolver_unavailable'])

/** That a registry lies is for the operator to know under its own name; a peer learns no more than that it does not resolve. */
const isLie = (error: unknown) => error instanceof AthError && error.trouble === 'registry_violation'

async function findOrRefuse(
  find: DidMethod,
  did: string,
  requester?: string,
): Promise<Resolution | undefined> {
  try {
    return await find(did, requester)
  } catch (error) {
    if (error instanceof HandshakeError || isLie(error)) throw error
    throw refuse('resolver_unavailable', 'the DID cannot be resolved at present', {
      rule: 'ATH-4.3',
      retryAfter: 10,
      cause: error,
    })
  }
}
