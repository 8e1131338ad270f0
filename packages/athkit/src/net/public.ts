import ipaddr from 'ipaddr.js'

/** Of IPv6, what has been given out for the Internet as a whole. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number]

/**
 * Whether an address belongs to the public Internet (ATH-4.5): not to this machine, a private or local network, a carrier, a range kept
 * for documentation or groups, nor to one that leads on to other addresses (IPv4 inside IPv6, 6to4, NAT64, Teredo). An IPv4-mapped
 * address is judged as the IPv4 address that it is. What is no address is not public.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(GLOBAL_UNICAST)
}

export function isLoopbackAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'
}
