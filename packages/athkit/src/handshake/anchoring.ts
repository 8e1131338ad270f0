import type { DidDocument } from '../did/document.ts'

/** How a client knows that this DID is the server it means (ATH-6.1.5), `first-use` only where that was opted into. */
export type Anchor = 'pin' | 'credential' | 'did:web' | 'registry' | 'first-use'

export interface AnchorInput {
  readonly serverDid: string
  /** The origin that was dialled. */
  readonly audience: string
  /** Server DIDs the client was told beforehand. */
  readonly pins: readonly string[]
  /** `aud` of the credential that will be shown. */
  readonly credentialAudience: readonly string[]
  readonly document: DidDocument | undefined
  /** Whether the document came from a registry configured as verifying the origins in it. */
  readonly verifying: boolean
}

/**
 * Whether a server DID may be gone on with at an audience, and why. The key exchange is only as good as this answer: whoever
 * speaks TLS as the host is told apart from the server by nothing else (ATH-11).
 */
export function anchor(input: AnchorInput): Exclude<Anchor, 'first-use'> | false {
  if (input.pins.includes(input.serverDid)) return 'pin'
  if (input.credentialAudience.includes(input.serverDid)) return 'credential'
  if (input.serverDid === didWebOf(input.audience)) return 'did:web'
  if (input.verifying && input.document !== undefined && servesAt(input.document, input.audience))
    return 'registry'
  return false
}

/** The path-less `did:web` of an origin's host and port. */
function didWebOf(origin: string): string {
  return `did:web:${encodeURIComponent(new URL(origin).host)}`
}

function servesAt(document: DidDocument, audience: string): boolean {
  const services = Array.isArray(document.service) ? document.service : []
  return services.some((service) => {
    const types = Array.isArray(service.type) ? service.type : [service.type]
    return (
      types.includes('AthService') &&
      endpointsOf(service.serviceEndpoint).some((uri) => originOf(uri) === audience)
    )
  })
}

const endpointsOf = (endpoint: unknown): readonly unknown[] =>
  Array.isArray(endpoint) ? endpoint : [endpoint]

function originOf(uri: unknown): string | undefined {
  return typeof uri === 'string' && URL.canParse(uri) ? new URL(uri).origin : undefined
}
