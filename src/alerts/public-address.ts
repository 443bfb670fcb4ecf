import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Of IPv6 only this is given out as public; `::127.0.0.1`, an IPv4-compatible address, is outside of it. */
const GLOBAL_UNICAST_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Whether the IP address may be a host on the public Internet: it is in no special-purpose network, nor multicast.
 * False for text that is no address. https://www.iana.org/assignments/iana-ipv4-special-registry, and
 * https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export function isPublicAddress (address: string): boolean {
  // ipaddr.js alone would take `0x7f.1` too.
  if (isIP(address) === 0) return false
  const parsed = ipaddr.parse(address)
  return parsed.range() === 'unicast' && (parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST_IPV6))
}

/**
 * The address that a URL's `hostname` is, without IPv6's brackets; null where it is a name that has to be looked up.
 */
export function literalAddress (hostname: string): string | null {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  return isIP(address) === 0 ? null : address
}
