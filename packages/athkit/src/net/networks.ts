import ipaddr from 'ipaddr.js'

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** Networks by how they were written. */
export type Networks = ReadonlyMap<string, Network>

/** IPv4 and IPv6 networks in CIDR notation, as in `ip_whitelist` (ATH-6.4.3). undefined where a member is none. */
export function parseNetworks(value: unknown): Networks | undefined {
  if (!Array.isArray(value)) return undefined
  const networks = new Map<string, Network>()
  for (const text of value) {
    const network = typeof text === 'string' ? parseNetwork(text) : undefined
    if (network === undefined) return undefined
    networks.set(text, network)
  }
  return networks
}

/** `10/8` or `010.0.0.0/8` mean one thing to some readers and another to others: nobody is let in on a guess. */
const IPV4_CIDR = /^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}\/(?:0|[1-9][0-9]?)$/
const IPV6_CIDR = /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\/(?:0|[1-9][0-9]{0,2})$/
const MAPPED_BITS = 96

function parseNetwork(text: string): Network | undefined {
  if (!IPV4_CIDR.test(text) && !IPV6_CIDR.test(text)) return undefined
  if (!ipaddr.isValidCIDR(text)) return undefined
  const [address, bits] = ipaddr.parseCIDR(text)
  // Addresses are compared as IPv4 where they are mapped ones, so networks of such are IPv4 as well.
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= MAPPED_BITS) {
    return [address.toIPv4Address(), bits - MAPPED_BITS]
  }
  return [address, bits]
}

/** The networks in both lists, of two that overlap the inner one, as they are written there; sorted. */
export function intersectNetworks(some: Networks, others: Networks): readonly string[] {
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
export function isInNetworks(networks: Networks, address: string): boolean {
  const parsed = parseAddress(address)
  return parsed !== undefined && [...networks.values()].some((network) => matches(parsed, network))
}

const IPV4 = /^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/

/** A link-local address may carry the zone it was heard in, which is no part of it. */
function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = text.split('%', 1)[0] ?? ''
  if (!bare.includes(':') && !IPV4.test(bare)) return undefined
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : undefined
}

/** Whether the text is an address, and nothing else. */
export const isAddress = (text: string): boolean => parseAddress(text) !== undefined && !text.includes('%')
