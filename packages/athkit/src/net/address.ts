import ipaddr from 'ipaddr.js'

/** As nearly all of them are written: it is its own group, and so is what only looks like it. */
const IPV4 = /^(?:(?:0|[1-9]\d{0,2})(?:\.(?!$)|$)){4}$/

/**
 * What counts as one stranger: an IPv4 address, mapped ones included, or the /64 of an IPv6 address, which its holder has all of.
 */
export function addressGroup(address: string): string {
  if (IPV4.test(address)) return address
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${(parsed as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`
}
