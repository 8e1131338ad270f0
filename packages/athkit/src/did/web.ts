import { isObject } from '../crypto/shape.ts'
import { AthError, HandshakeError, refuse } from '../errors.ts'
import type { Fetch } from '../net/request.ts'
import { parseDid } from './did.ts'
import type { DidDocument } from './document.ts'
import { fetchJson } from './fetch-json.ts'
import { createHostLimits } from './hosts.ts'
import type { DidMethod } from './resolver.ts'

export interface WebMethodOptions {
  /** One that dials no address of a private network, such as `guardedFetch` of `athkit/did-node`: anybody can name any host (ATH-4.5). */
  readonly fetch: Fetch
  /** Unix seconds. */
  readonly now?: () => number
}

/** ATH-4.5. */
const MOST_BYTES = 65_536
const WITHIN_MS = 3000
const MAX_DEPTH = 16
const ACCEPT = 'application/did+json, application/did+ld+json, application/json'

/**
 * `did:web` (ATH-4.2): for `createResolver({ methods: new Map([['web', webMethod({ fetch })]]) })`. At most 3 s and 64 KiB, no
 * redirects; a host that failed is left alone for 10 s, and has at most 4 fetches at once, as does everybody who asks (ATH-4.4).
 */
export function webMethod(options: WebMethodOptions): DidMethod {
  const limits = createHostLimits(options.now ?? (() => Math.floor(Date.now() / 1000)))

  async function documentAt(url: URL): Promise<DidDocument | undefined> {
    const document = await fetchJson({
      fetch: options.fetch,
      url: url.href,
      accept: ACCEPT,
      most: MOST_BYTES,
      maxDepth: MAX_DEPTH,
      within: WITHIN_MS,
    })
    if (document === undefined) return undefined
    if (!isObject(document) || typeof document.id !== 'string') throw unusable('no DID document')
    return document as DidDocument
  }

  return async (did, requester) => {
    const url = didWebUrl(did)
    try {
      const document = await limits.run(url.host, requester, () => documentAt(url))
      return document && { document }
    } catch (error) {
      // What a host says wrongly is no better the next moment; what could not be heard may be.
      const isWrong = error instanceof AthError && error.trouble === 'peer_violation'
      const isMalformed = error instanceof HandshakeError && error.error !== 'rate_limited'
      if (isWrong || isMalformed) throw unusable(error.message, error)
      throw error
    }
  }
}

const SEGMENT = /^(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$/

/**
 * Where the document of a `did:web` is, as its specification says: the host's `/.well-known/did.json`, or the path's `did.json`.
 *
 * @throws HandshakeError `identity_unknown` for a host that is an IP address, or a path that is none
 */
export function didWebUrl(did: string): URL {
  const { method, id } = parseDid(did)
  if (method !== 'web') throw new TypeError('not a did:web')
  const [first = '', ...segments] = id.split(':')
  const host = first.replace(/%3A(?=[0-9]{1,5}$)/i, ':').toLowerCase()
  if (!segments.every((segment) => SEGMENT.test(segment) && isPlain(segment))) throw unusable('not a path')
  const path = segments.length === 0 ? '/.well-known' : `/${segments.join('/')}`
  const text = `https://${host}${path}/did.json`
  const url = URL.canParse(text) ? new URL(text) : undefined
  // A URL that reads otherwise than it was written leads somewhere that nobody named.
  const asWritten = url !== undefined && `${url.host}${url.pathname}` === text.slice('https://'.length)
  if (!asWritten || isAddress(url.hostname) || url.hostname.endsWith('.')) throw unusable('not a host name')
  return url
}

/** Neither a dot segment nor something that a server may take for several. */
function isPlain(segment: string): boolean {
  const decoded = segment.replace(/%[0-9A-Fa-f]{2}/g, (code) =>
    String.fromCharCode(Number.parseInt(code.slice(1), 16)),
  )
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return decoded !== '.' && decoded !== '..' && !/[/\\\x00-\x1f\x7f]/.test(decoded)
}

/** WHATWG URLs write every form of an IPv4 address with dots and digits, and IPv6 in brackets. */
const isAddress = (hostname: string): boolean => hostname.startsWith('[') || /^[0-9.]+$/.test(hostname)

const unusable = (reason: string, cause?: unknown) =>
  refuse('identity_unknown', `did:web: ${reason}`, { rule: 'ATH-4.3', cause })
