import { concat } from '../crypto/bytes.ts'
import { AthError } from '../errors.ts'
import { abortable } from './time.ts'

/** What is asked of the platform's `fetch`. */
export type Fetch = (url: string, init: RequestInit & { duplex?: 'half' }) => Promise<Response>

export type SendInit = RequestInit & { readonly signal: AbortSignal; duplex?: 'half' }

/**
 * A request that nothing of the browser's (cookies, cache, referrer) goes along with.
 *
 * @throws AthError `peer_violation` for a redirect, which is never followed (ATH-3.2, ATH-4.5)
 * @throws the signal's reason, and what `fetch` throws
 */
export async function send(fetch: Fetch, url: string, init: SendInit): Promise<Response> {
  init.signal.throwIfAborted()
  const sent = fetch(url, {
    ...init,
    redirect: 'manual',
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
  })
  const response = await abortable(sent, init.signal)
  const isRedirect = response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)
  if (!isRedirect) return response
  drop(response)
  throw new AthError('peer_violation', 'a redirect, which is never followed', { rule: 'ATH-3.2' })
}

/** @throws AthError `peer_violation` when there is more than `most`; the rest is not read */
export async function readBounded(
  response: Response,
  most: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const reader = response.body?.getReader()
  if (reader === undefined) return new Uint8Array()
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await abortable(reader.read(), signal)
      if (done) return concat(...parts)
      size += value.length
      if (size > most) throw new AthError('peer_violation', `more than ${most} bytes`, { rule: 'ATH-1.1' })
      parts.push(value)
    }
  } catch (error) {
    reader.cancel(error).catch(() => undefined)
    throw error
  }
}

export function drop(response: Response): void {
  response.body?.cancel().catch(() => undefined)
}
