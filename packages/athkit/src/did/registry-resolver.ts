import { isObject } from '../crypto/shape.ts'
import { AthError, HandshakeError } from '../errors.ts'
import { isLoopback } from '../net/origin.ts'
import type { Fetch } from '../net/request.ts'
import { parseDid } from './did.ts'
import { fetchJson } from './fetch-json.ts'
import { type DidOperation, type DidState, RefusedHistory, verifyHistory } from './history.ts'
import { memoryPins, type Pin, type Pins } from './pins.ts'
import { resolutionOf } from './registry.ts'
import type { DidMethod } from './resolver.ts'

export interface RegistryResolverOptions {
  /** Where the registry is; its paths begin behind it. */
  readonly url: string
  /** The platform's without it. The registry is the operator's choice, so nothing has to be guarded against (ATH-4.5). */
  readonly fetch?: Fetch
  /** What was seen of each history; {@link memoryPins} without it, which forgets with the process. */
  readonly pins?: Pins
  /** Whether the registry is trusted to verify the origins in its documents (ATH-6.1.5); false. */
  readonly verifiesOrigins?: boolean
  /** Whether the registry is trusted to verify what its documents say of agents: an entry of `service`, type `AthAgent` (ATH-6.3.1); false. */
  readonly verifiesAgents?: boolean
  /** Told of every lie before it is thrown. A registry that lies is worth a look, whoever asked. */
  readonly onViolation?: (violation: AthError) => void
  /** Milliseconds for one answer; 3000. */
  readonly within?: number
  /** A weakening, for development: `http:` on this machine (ATH-3.1). */
  readonly allowPlaintextOnLoopback?: boolean
}

/** A registry as one who resolves sees it. */
export interface RegistryResolver {
  /** For `createResolver({ registry })`. */
  readonly lookup: DidMethod
  /**
   * The verified state, with which the next operation is built; undefined for a DID that is not registered.
   *
   * @throws AthError `registry_violation`; `transport_failed` or `peer_violation` when there is no answer that could be judged
   */
  state(did: string, signal?: AbortSignal): Promise<DidState | undefined>
  /** The same, with every operation that leads to it: what `verifyHistory` takes, without asking anybody. */
  history(
    did: string,
    signal?: AbortSignal,
  ): Promise<{ readonly state: DidState; readonly operations: readonly DidOperation[] } | undefined>
}

/** A history of a thousand operations, and as much as a registry of ours keeps. */
const MOST_BYTES = 1_114_112
const MAX_DEPTH = 18
const WITHIN_MS = 3000
/** How often others may move the pin while an answer is on its way. */
const MOST_ATTEMPTS = 5

/**
 * Resolves named DIDs (ATH-4.1, ATH-4.6) without trusting the registry for more than to answer: it reads the whole history and checks
 * every signature and link in it, and that it goes on where the last one seen ended. What the registry says a DID resolves to is not
 * even read.
 *
 * @throws TypeError for a URL that is not `https:`
 */
export function registryResolver(options: RegistryResolverOptions): RegistryResolver {
  const base = registryUrl(options.url, options.allowPlaintextOnLoopback === true)
  const { pins = memoryPins(), within = WITHIN_MS } = options
  const { verifiesOrigins = false, verifiesAgents = false } = options
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init))

  async function operationsOf(did: string, signal?: AbortSignal): Promise<readonly DidOperation[]> {
    const body = await fetchJson({
      fetch,
      url: `${base}/1.0/history/${encodeURIComponent(did)}`,
      accept: 'application/json',
      most: MOST_BYTES,
      maxDepth: MAX_DEPTH,
      within,
      signal,
    })
    if (body === undefined) return []
    const operations = isObject(body) ? body.operations : undefined
    if (!Array.isArray(operations)) throw new AthError('peer_violation', 'no history', { rule: 'ATH-4.6' })
    return operations
  }

  async function history(did: string, signal?: AbortSignal) {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      // The pin is read first: an answer that was made before another moved it is no rollback.
      const seen = await pins.get(did)
      const operations = await operationsOf(did, signal)
      if (operations.length === 0 && seen === undefined) return undefined
      const state = await verified(did, operations, seen)
      const { seq, head } = state
      if (seq === seen?.seq || (await pins.advance(did, seen, { seq, head }))) return { state, operations }
    }
    throw new AthError('transport_failed', 'the pin keeps moving', { rule: 'ATH-4.6' })
  }

  async function reported(did: string, signal?: AbortSignal) {
    try {
      return await history(did, signal)
    } catch (error) {
      if (error instanceof AthError && error.trouble === 'registry_violation') options.onViolation?.(error)
      throw error
    }
  }

  async function ofName(did: string, signal?: AbortSignal) {
    if (parseDid(did).form !== 'named') throw new TypeError(`${did} is not a named did:ath`)
    return reported(did, signal)
  }

  return {
    async lookup(did) {
      const found = await reported(did)
      return (
        found && {
          ...resolutionOf(found.state),
          registry: { verifiesOrigins, ...(verifiesAgents && { verifiesAgents }) },
        }
      )
    },
    async state(did, signal) {
      return (await ofName(did, signal))?.state
    },
    history: ofName,
  }
}

/** @throws AthError `registry_violation` that says what is wrong with it */
async function verified(
  did: string,
  operations: readonly DidOperation[],
  seen: Pin | undefined,
): Promise<DidState> {
  try {
    const state = await verifyHistory(operations, { seen: seen ?? null, taken: [] })
    if (state.did !== did) throw violation(did, 'the history is that of another DID')
    return state
  } catch (error) {
    if (!(error instanceof RefusedHistory)) throw error
    const { at, cause } = error
    if (at === operations.length) throw violation(did, `rolled back: ${at} operations where more were seen`)
    // The chain holds up to here, and is not the one that was seen.
    if (cause === undefined) throw violation(did, `forked: operation ${at} is not the one seen before`)
    const reason = cause instanceof HandshakeError ? cause.reason : String(cause)
    throw violation(did, `operation ${at} is not valid: ${reason}`, error)
  }
}

const violation = (did: string, what: string, cause?: unknown) =>
  new AthError('registry_violation', `the registry lies about ${did}: ${what}`, { rule: 'ATH-4.6', cause })

/** Without a slash at its end. @throws TypeError */
export function registryUrl(given: string, allowPlaintextOnLoopback: boolean): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  const isSafe =
    url?.protocol === 'https:' ||
    (url?.protocol === 'http:' && allowPlaintextOnLoopback && isLoopback(url.hostname))
  if (url === undefined || !isSafe || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new TypeError(`registry: ${JSON.stringify(given)} is no https: URL without query and fragment`)
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}
