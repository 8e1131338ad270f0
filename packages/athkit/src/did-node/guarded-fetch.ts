import { lookup as dnsLookup } from 'node:dns/promises'
import type { IncomingMessage } from 'node:http'
import { AthError } from '../errors.ts'
import type { Fetch } from '../net/request.ts'
import { abortable, deadline } from '../net/time.ts'
import { addressOf, type DialOptions, dial, type Lookup } from './dial.ts'

export interface GuardedFetchOptions {
  /** DNS, as the platform has it without this. */
  readonly lookup?: Lookup
  /** PEM certificates of authorities to trust instead of the platform's: a company's own, a test's. */
  readonly ca?: string | readonly string[]
  /** Milliseconds, from the question to DNS to the last byte; 3000. */
  readonly within?: number
  /** Bytes of an answer; 65 536. */
  readonly most?: number
  /** A weakening, for development: names may lead to this machine. Private networks stay out of reach. */
  readonly resolveLoopback?: boolean
  /** Told once, at the start, of what weakens; `console.warn` without it. */
  readonly onWarning?: (message: string) => void
}

const WITHIN_MS = 3000
const MOST_BYTES = 65_536

/**
 * A `fetch` for what a stranger names (ATH-4.5): GET, `https:` with TLS 1.3, no redirects. The name is looked up once, every address it
 * has must be public, and the one that was looked at is dialled. The answer comes whole, within 3 s and 64 KiB, or not at all.
 *
 * What it returns throws AthError `peer_violation` for whatever the other side may not do, `transport_failed` when no answer comes, and
 * the caller's signal's reason.
 */
export function guardedFetch(options: GuardedFetchOptions = {}): Fetch {
  const { within = WITHIN_MS, most = MOST_BYTES, lookup = platformLookup } = options
  const allowLoopback = options.resolveLoopback === true
  if (allowLoopback) {
    const warn = options.onWarning ?? ((message) => console.warn(`athkit: ${message}`))
    warn('resolveLoopback: names may lead to this machine; only for development')
  }
  const dialOptions: DialOptions = { lookup, allowLoopback, ca: options.ca }

  return async (target, init) => {
    const url = checkUrl(target)
    if ((init.method ?? 'GET') !== 'GET') throw new TypeError('guardedFetch: GET only')
    const signal = init.signal ?? undefined
    const limit = deadline(within, signal)
    try {
      const address = await abortable(addressOf(url.hostname, dialOptions), limit.signal)
      const answer = await dial(url, address, new Headers(init.headers), options.ca, limit.signal)
      try {
        checkHead(answer)
        return responseOf(answer, await bodyOf(answer, most))
      } finally {
        answer.destroy()
      }
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason
      if (limit.expired()) throw failed('no whole answer in time', error)
      throw error instanceof AthError ? error : failed('no answer: the connection failed', error)
    } finally {
      limit.clear()
    }
  }
}

const platformLookup: Lookup = async (hostname) =>
  (await dnsLookup(hostname, { all: true })).map(({ address }) => address)

function checkUrl(target: string): URL {
  const url = URL.canParse(target) ? new URL(target) : undefined
  if (url?.protocol !== 'https:') throw violation('not an https: URL')
  if (url.username !== '' || url.password !== '') throw violation('a URL with a password in it')
  if (url.hostname.endsWith('.')) throw violation('a host with a trailing dot')
  return url
}

function checkHead({ statusCode = 0, headers }: IncomingMessage): void {
  if (statusCode >= 300 && statusCode < 400) throw violation('a redirect, which is never followed')
  // What is compressed can be a thousand times what came over the wire.
  if ((headers['content-encoding'] ?? 'identity') !== 'identity')
    throw violation('an encoding nobody asked for')
}

async function bodyOf(answer: IncomingMessage, most: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of answer) {
    size += (piece as Buffer).length
    if (size > most) throw violation(`more than ${most} bytes`)
    pieces.push(piece as Buffer)
  }
  return Buffer.concat(pieces)
}

/** Statuses that a Response may not have a body with. */
const WITHOUT_BODY: readonly number[] = [204, 205]

function responseOf({ statusCode = 0, headers }: IncomingMessage, body: Buffer): Response {
  const copied = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value ?? []].flat()) copied.append(name, one)
  }
  const content = WITHOUT_BODY.includes(statusCode) ? null : new Uint8Array(body)
  return new Response(content, { status: statusCode, headers: copied })
}

const violation = (message: string) => new AthError('peer_violation', message, { rule: 'ATH-4.5' })

const failed = (message: string, cause: unknown) =>
  new AthError('transport_failed', message, { rule: 'ATH-4.5', cause })
