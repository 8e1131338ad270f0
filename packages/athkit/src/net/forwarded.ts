import { isAddress, isInNetworks, parseNetworks } from './networks.ts'

/** Who a request comes from: the connection's peer, or whom a proxy names that the operator configured (ATH-6.4.3). */
export type AddressReader = (peer: string, forwardedFor: string | undefined) => string

/** What stands for an address that cannot be known; it lies in no network. */
export const UNKNOWN_ADDRESS = 'unknown'

/**
 * `X-Forwarded-For` is believed as far as configured proxies wrote it: from its right end, past addresses of such proxies, to the
 * first one that is none of theirs. Whatever stands to the left of that was said by whoever is asking.
 *
 * @param trustedProxies networks in CIDR notation; empty: the header is never looked at
 * @throws TypeError for what is no network
 */
export function createAddressReader(trustedProxies: readonly string[] = []): AddressReader {
  const proxies = parseNetworks(trustedProxies)
  if (proxies === undefined) {
    throw new TypeError(
      `trustedProxies: ${JSON.stringify(trustedProxies)} are not all networks; write them like '10.0.0.0/8' or '2001:db8::/32'`,
    )
  }
  if (proxies.size === 0) return (peer) => peer
  return (peer, forwardedFor) => {
    if (!isInNetworks(proxies, peer) || forwardedFor === undefined) return peer
    let nearest = peer
    for (const part of forwardedFor.split(',').reverse()) {
      const address = part.trim()
      // A proxy that wrote what cannot be read has told nothing, and those before it cannot be believed without it.
      if (!isAddress(address)) return UNKNOWN_ADDRESS
      nearest = address
      if (!isInNetworks(proxies, address)) break
    }
    return nearest
  }
}
