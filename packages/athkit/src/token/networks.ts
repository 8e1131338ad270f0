import ipaddr from 'ipaddr.js'

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** `ip_whitelist` (ATH-6.4.3): IPv4 and IPv6 networks in CIDR notation. undefined where a member is none. */
export function parseNetworks(value: unknown): ReadonlyMap<string, Network> | undefined {
  if (!Array.isArray(value)) return undefined
  const networks = new Map<string, Network>()
  for (const text of value) {
    const network = typeof text === 'string' ? parseNetwork(text) : undefined
    if (network === undefined) return undefined
    networks.set(text, network)
  }
  return networks
}

function parseNetwork(text: string): Network | undefined {
  return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined
}

/** The networks in both lists, of two that overlap the inner one, as they are written there; sorted. */
export function intersectNetworks(
  some: ReadonlyMap<string, Network>,
  others: ReadonlyMap<string, Network>,
): readonly string[] {
  const common = new Set<string>()
  for (const [text, network] of some) {
    for (const [otherText, other] of others) {
      if (isInside(network, other)) common.add(text)
      else if (isInside(other, network)) common.add(otherText)
    }
  }
  return [...common].sort()
}

function isInside(inner: Network, outer: Network): boolean {
  return inner[0].kind() === outer[0].kind() && inner[1] >= outer[1] && matches(inner[0], outer)
}

const matches = (address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Network): boolean =>
  address.kind() === network.kind() && (address as ipaddr.IPv6).match(network as ipaddr.IPv6, bits)

/** Whether the address, an IPv4-mapped one counting as IPv4, lies in one of the networks. What is no address lies in none. */
export function isInNetworks(networks: ReadonlyMap<string, Network>, address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return [...networks.values()].some((network) => matches(parsed, network))
}
