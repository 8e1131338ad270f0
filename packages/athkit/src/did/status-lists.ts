import { fromUtf8 } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import { AthError, HandshakeError, refuse } from '../errors.ts'
import type { Fetch } from '../net/request.ts'
import type { DidDocument } from './document.ts'
import { fetchBytes } from './fetch-json.ts'
import { createHostLimits } from './hosts.ts'
import { isSet, type StatusEntry, type StatusList, statusEntriesOf, verifyStatusList } from './status-list.ts'
import { invalid } from './vc.ts'

export interface StatusListsOptions {
  /** One that dials no address of a private network, such as `guardedFetch` of `athkit/did-node` (ATH-4.5). */
  readonly fetch: Fetch
  /** Unix seconds. */
  readonly now?: () => number
}

/** Whether credentials of third parties were taken back (ATH-6.1.6). */
export interface StatusLists {
  /**
   * Looks at every place that a verified credential names for its revocation or suspension.
   *
   * @throws HandshakeError `credential_invalid` when it was revoked or suspended, or its status is wrong; `resolver_unavailable` when
   *   that cannot be found out at present
   */
  check(claims: JsonObject, issuer: DidDocument): Promise<void>
}

const MOST_BYTES = 65_536
const WITHIN_MS = 3000
/** As long as a DID document (ATH-4.4), less where the issuer says so. */
const FRESH_SECONDS = 300
const MOST_LISTS = 32

export function createStatusLists(options: StatusListsOptions): StatusLists {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const limits = createHostLimits(now)
  const lists = new Map<string, { readonly until: number; readonly list: StatusList }>()

  async function fetched(url: string, issuer: DidDocument): Promise<StatusList> {
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    if (parsed?.protocol !== 'https:') throw invalid('its status list is not at an https: URL')
    const bytes = await limits.run(parsed.host, undefined, () =>
      fetchBytes({
        fetch: options.fetch,
        url: parsed.href,
        accept: 'application/vc+jwt',
        most: MOST_BYTES,
        within: WITHIN_MS,
      }),
    )
    if (bytes === undefined) throw invalid('its status list is not there')
    return verifyStatusList(fromUtf8(bytes).trim(), { url, issuer, now: now() })
  }

  async function listAt({ url }: StatusEntry, issuer: DidDocument): Promise<StatusList> {
    const key = `${issuer.id} ${url}`
    const known = lists.get(key)
    if (known !== undefined && now() < known.until) return known.list
    const list = await fetchedOrRefused(() => fetched(url, issuer))
    lists.delete(key)
    if (lists.size >= MOST_LISTS) lists.delete(lists.keys().next().value as string)
    lists.set(key, { until: Math.min(now() + FRESH_SECONDS, list.until), list })
    return list
  }

  return {
    async check(claims, issuer) {
      for (const entry of statusEntriesOf(claims)) {
        const { purposes, bits } = await listAt(entry, issuer)
        if (!purposes.includes(entry.purpose)) throw invalid('its status list is for something else')
        if (isSet(bits, entry.index)) throw invalid(`its issuer set it under ${entry.purpose}`)
      }
    },
  }
}

/** What is wrong is the credential's fault; what could not be heard may be heard later, and until then the credential does not count. */
async function fetchedOrRefused(work: () => Promise<StatusList>): Promise<StatusList> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof HandshakeError && error.error === 'credential_invalid') throw error
    if (error instanceof HandshakeError) throw invalid(`its status list: ${error.reason}`)
    if (error instanceof AthError && error.trouble === 'peer_violation') {
      throw invalid(`its status list: ${error.message}`)
    }
    throw refuse('resolver_unavailable', 'a status list cannot be fetched at present', {
      rule: 'ATH-6.1.6',
      step: 'm3',
      retryAfter: 10,
      cause: error,
    })
  }
}
