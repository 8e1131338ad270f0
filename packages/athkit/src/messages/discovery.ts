/**
 * Where a server's endpoints are (ATH-3.2). Everything in the document is a hint: trust comes from the handshake.
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import { optional, shaped, strings } from '../crypto/shape.ts'
import { refuse } from '../errors.ts'
import { checkOrigin, type OriginOptions } from './origin.ts'

export const DISCOVERY_PATH = '/.well-known/ath-app.json'

/** The members that name endpoints, and the paths where they are when the document does not say. */
export const DEFAULT_ENDPOINTS = {
  handshake_endpoint: '/ath/handshake',
  session_endpoint: '/ath/sealed',
  confirmation_endpoint: '/ath/confirmations',
  inbox_endpoint: '/ath/inbox',
  grants_endpoint: '/ath/grants',
  revocation_endpoint: '/ath/revocations',
} as const
export type EndpointName = keyof typeof DEFAULT_ENDPOINTS
export const ENDPOINT_NAMES = Object.keys(DEFAULT_ENDPOINTS) as readonly EndpointName[]

/** Each endpoint: of a server its path, of a client the absolute URL. */
export type Endpoints = Readonly<Record<EndpointName, string>>

const hint = optional(v.string())

export const DiscoveryDocument = v.object({
  ath_version: hint,
  app_id: hint,
  name: hint,
  server_did: hint,
  handshake_endpoint: hint,
  session_endpoint: hint,
  confirmation_endpoint: hint,
  inbox_endpoint: hint,
  grants_endpoint: hint,
  revocation_endpoint: hint,
  capabilities: optional(strings),
  scopes_supported: optional(strings),
  scope_descriptions: optional(v.record(v.string(), v.string())),
})
export type DiscoveryDocument = v.InferOutput<typeof DiscoveryDocument> & JsonObject

export interface DiscoveryOptions {
  readonly version: string
  readonly appId: string
  readonly name: string
  readonly serverDid: string
  /** Paths other than the defaults. */
  readonly endpoints?: Partial<Endpoints>
  readonly capabilities: readonly string[]
  /** What each scope means, in words for a person; its keys are `scopes_supported`. */
  readonly scopes: ReadonlyMap<string, string>
}

/** @throws HandshakeError `malformed_message` when an endpoint is not an absolute path */
export function createDiscoveryDocument(options: DiscoveryOptions): DiscoveryDocument {
  return {
    ath_version: options.version,
    app_id: options.appId,
    name: options.name,
    server_did: options.serverDid,
    ...endpointPaths(options.endpoints ?? {}),
    capabilities: [...options.capabilities],
    scopes_supported: [...options.scopes.keys()],
    scope_descriptions: Object.fromEntries(options.scopes),
  }
}

/**
 * A server's endpoints as paths, defaults filled in, each checked.
 *
 * @throws HandshakeError `malformed_message`
 */
export function endpointPaths(
  given: Readonly<Partial<Record<EndpointName, string | null | undefined>>>,
): Endpoints {
  const paths = ENDPOINT_NAMES.map((name) => [name, checkPath(given[name] ?? DEFAULT_ENDPOINTS[name], name)])
  return Object.fromEntries(paths) as Endpoints
}

export interface Discovered {
  readonly document: DiscoveryDocument
  /** Absolute URLs on the origin that it was fetched from. */
  readonly endpoints: Endpoints
}

/**
 * A document as a client fetched it.
 *
 * @param fetchedFrom the origin that was dialled; redirects are never followed
 * @throws HandshakeError `malformed_message`: an endpoint elsewhere, or not an absolute path; an origin that is none
 */
export function parseDiscovery(body: Json, fetchedFrom: string, options: OriginOptions = {}): Discovered {
  const origin = checkOrigin(fetchedFrom, options)
  const document: DiscoveryDocument = shaped(DiscoveryDocument, body, 'discovery')
  const paths = endpointPaths(document)
  const urls = ENDPOINT_NAMES.map((name) => [name, origin + paths[name]])
  return { document, endpoints: Object.fromEntries(urls) as Endpoints }
}

/**
 * An absolute path is exactly what the URL parser makes of it: so there is no query, fragment, dot segment (percent-encoded ones
 * included), backslash, second slash at the front, white space or control character in it.
 */
function checkPath(path: string, name: EndpointName): string {
  const base = 'https://origin.invalid'
  const parsed = URL.canParse(path, base) ? new URL(path, base).pathname : undefined
  if (parsed !== path) throw refused(`${name} is not an absolute path`)
  return path
}

/**
 * The URL of a handshake: `Location` of the answer to m1, on the origin of the endpoint that m1 was sent to (ATH-3.3).
 *
 * @param handshakeEndpoint the absolute URL that m1 was posted to
 * @throws HandshakeError `malformed_message`
 */
export function resolveLocation(location: Json, handshakeEndpoint: string): string {
  if (typeof location !== 'string' || location === '' || !URL.canParse(location, handshakeEndpoint)) {
    throw refused('Location is missing or no URL')
  }
  const url = new URL(location, handshakeEndpoint)
  if (url.origin !== new URL(handshakeEndpoint).origin) throw refused('Location is on another origin')
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw refused('Location has user information or a fragment')
  }
  return url.href
}

const refused = (reason: string) =>
  refuse('malformed_message', `discovery: ${reason}`, { rule: 'ATH-3.2', step: 'discovery' })
