import { BlockList, isIP } from 'node:net'

/**
 * Special-purpose IPv4 networks, none of which is a host on the public Internet:
 * https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast.
 */
const specialIpv4 = blockList('ipv4', [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12],
  ['192.0.0.0', 24], ['192.0.2.0', 24], ['192.88.99.0', 24], ['192.168.0.0', 16], ['198.18.0.0', 15], ['198.51.100.0', 24],
  ['203.0.113.0', 24], ['224.0.0.0', 4], ['240.0.0.0', 4]
])

/**
 * Of IPv6 only global unicast is public: not loopback, unique-local, link-local or multicast, nor the forms that carry an
 * IPv4 address (mapped, compatible, NAT64).
 */
const globalUnicastIpv6 = blockList('ipv6', [['2000::', 3]])

/** What of it is not: protocol assignments with Teredo, documentation, 6to4. https://www.iana.org/assignments/iana-ipv6-special-registry */
const specialIpv6 = blockList('ipv6', [['2001::', 23], ['2001:db8::', 32], ['2002::', 16], ['3fff::', 20]])

/** One list a family: in a mixed one, a rule for mapped addresses would match plain IPv4 too. */
function blockList (family: 'ipv4' | 'ipv6', networks: ReadonlyArray<readonly [string, number]>): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of networks) list.addSubnet(network, prefix, family)
  return list
}

/** Whether the IP address may be a host on the public Internet. False for text that is no address. */
export function isPublicAddress (address: string): boolean {
  switch (isIP(address)) {
    case 4: return !specialIpv4.check(address, 'ipv4')
    case 6: return globalUnicastIpv6.check(address, 'ipv6') && !specialIpv6.check(address, 'ipv6')
    default: return false
  }
}

/** The address that a URL's `hostname` is, without IPv6's brackets; null where it is a name that has to be looked up. */
export function literalAddress (hostname: string): string | null {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  return isIP(address) === 0 ? null : address
}
