import { refuse } from '../errors.ts'

export interface OriginOptions {
  /** `http:` on this machine alone, for development (ATH-3.1). */
  readonly allowPlaintextOnLoopback?: boolean
}

/**
 * An origin as ATH-3.1 has it: what the WHATWG `URL.origin` of itself is, `https:` and without a trailing dot in its host.
 *
 * @throws HandshakeError `malformed_message`
 */
export function checkOrigin(origin: string, options: OriginOptions = {}): string {
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  if (url === undefined || url.origin !== origin) throw refused('not an origin')
  if (url.hostname.endsWith('.')) throw refused('a host with a trailing dot')
  const plaintextAllowed = options.allowPlaintextOnLoopback === true && isLoopback(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && plaintextAllowed)) {
    throw refused('not https')
  }
  return origin
}

/** Whether a host of a parsed URL is this machine by its literal address, or `localhost`. */
export const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)

const refused = (reason: string) => refuse('malformed_message', `origin: ${reason}`, { rule: 'ATH-3.1' })
