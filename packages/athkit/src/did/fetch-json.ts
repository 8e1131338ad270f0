import { type Json, parseJson } from '../crypto/json.ts'
import { AthError } from '../errors.ts'
import { drop, type Fetch, readBounded, send } from '../net/request.ts'
import { deadline } from '../net/time.ts'

export interface FetchBytes {
  readonly fetch: Fetch
  readonly url: string
  /** What is asked for, as `Accept`. */
  readonly accept: string
  /** Bytes of the answer. */
  readonly most: number
  /** Milliseconds, from the request to the last byte. */
  readonly within: number
  readonly signal?: AbortSignal | undefined
}

/**
 * A document over HTTP, as ATH-4.5 allows it: no redirects, bounded in size and in time. Which addresses may be dialled at all is
 * for `fetch` to say.
 *
 * @returns undefined for 404 and 410: there is no such document
 * @throws AthError `transport_failed` for no answer in time, and any other than 200; `peer_violation` for a redirect or a body beyond its
 *   limit
 * @throws the caller's signal's reason
 */
export async function fetchBytes(request: FetchBytes): Promise<Uint8Array | undefined> {
  const { fetch, url, accept, most, within } = request
  const limit = deadline(within, request.signal)
  try {
    const response = await send(fetch, url, { method: 'GET', headers: { accept }, signal: limit.signal })
    if (response.status !== 200) {
      drop(response)
      if (response.status === 404 || response.status === 410) return undefined
      throw new AthError('transport_failed', `HTTP ${response.status}`, { rule: 'ATH-4.3' })
    }
    return await readBounded(response, most, limit.signal)
  } catch (error) {
    if (error instanceof AthError || request.signal?.aborted === true) throw error
    const what = limit.expired() ? 'no whole answer in time' : 'no answer: the connection failed'
    throw new AthError('transport_failed', what, { rule: 'ATH-4.5', cause: error })
  } finally {
    limit.clear()
  }
}

/** The same, as strict JSON. @throws HandshakeError also `malformed_message` */
export async function fetchJson(
  request: FetchBytes & { readonly maxDepth: number },
): Promise<Json | undefined> {
  const { most, maxDepth } = request
  const bytes = await fetchBytes(request)
  return bytes === undefined ? undefined : parseJson(bytes, { maxBytes: most, maxDepth })
}
