import ipaddr from 'ipaddr.js'

/**
 * What counts as one stranger: an IPv4 address, mapped ones included, or the /64 of an IPv6 address, which its holder has all of.
 */
export function addressGroup(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${(parsed as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`
}
