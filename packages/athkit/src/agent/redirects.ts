import type { ResponseHead } from '../session/head.ts'
import type { Outgoing } from './outgoing.ts'

const REDIRECTS = new Set([301, 302, 303, 307, 308])
export const MOST_REDIRECTS = 20

/**
 * Where an application's answer sends a request (ATH-3.2): to the same origin, sealed like the first, by the rules of `fetch`.
 *
 * @returns undefined when the answer is the caller's
 * @throws TypeError for `redirect: 'error'`, for another origin, and where a stream would have to be sent again
 */
export function redirected(request: Outgoing, head: ResponseHead): Outgoing | undefined {
  const location = locationOf(head)
  if (location === undefined || request.redirect === 'manual') return undefined
  if (request.redirect === 'error') throw new TypeError('the service redirects, and `redirect` is `error`')
  const url = URL.canParse(location, request.url) ? new URL(location, request.url) : undefined
  if (url?.origin !== request.url.origin) {
    throw new TypeError('the service redirects to another origin, which this session does not reach')
  }
  const { method } = request
  const asGet =
    head.status === 303 ? method !== 'GET' && method !== 'HEAD' : head.status < 303 && method === 'POST'
  if (asGet)
    return { ...request, url, method: 'GET', body: undefined, headers: withoutContent(request.headers) }
  if (request.body instanceof ReadableStream) throw new TypeError('a stream cannot follow a redirect')
  return { ...request, url }
}

function locationOf({ status, headers }: ResponseHead): string | undefined {
  if (!REDIRECTS.has(status)) return undefined
  return headers.find(([name]) => name.toLowerCase() === 'location')?.[1]
}

function withoutContent(headers: Headers): Headers {
  const kept = new Headers(headers)
  for (const name of ['content-encoding', 'content-language', 'content-location', 'content-type'])
    kept.delete(name)
  return kept
}
