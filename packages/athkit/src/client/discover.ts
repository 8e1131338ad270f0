import { checkOrigin, DISCOVERY_PATH, type Discovered, parseDiscovery } from '../messages/index.ts'
import { call, type Transport } from './transport.ts'

export interface DiscoverOptions {
  readonly allowPlaintextOnLoopback?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The origin of an address that a caller gave; the path is of no account.
 *
 * @throws HandshakeError `malformed_message` when it is not `https:` (ATH-3.1)
 */
export function originOf(url: string | URL, options: DiscoverOptions = {}): string {
  const { origin } = new URL(url)
  const { allowPlaintextOnLoopback } = options
  return checkOrigin(origin, allowPlaintextOnLoopback === true ? { allowPlaintextOnLoopback } : {})
}

/** Where the endpoints of a server are (ATH-3.2): a hint, from which nothing follows for trust. */
export async function discover(
  transport: Transport,
  origin: string,
  options: DiscoverOptions = {},
): Promise<Discovered> {
  const { signal, allowPlaintextOnLoopback } = options
  const { body } = await call(transport, { url: origin + DISCOVERY_PATH, method: 'GET', signal })
  return parseDiscovery(body, origin, allowPlaintextOnLoopback === true ? { allowPlaintextOnLoopback } : {})
}
