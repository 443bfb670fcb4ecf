import { BlockList, isIP } from 'node:net'

/** An address, or a network as CIDR writes it. */
interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/**
 * An IP address or CIDR range.
 * @returns null for any other text
 */
export function parseNetwork (text: string): Network | null {
  const [, address = '', digits] = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? []
  const bits = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : 0
  const prefix = digits === undefined ? bits : Number(digits)
  return bits === 0 || prefix > bits ? null : { address, prefix, family: bits === 32 ? 'ipv4' : 'ipv6' }
}

/** The client of a connection: its own address, or the one that trusted proxies forward. */
export type ClientAddress = (peer: string, forwardedFor: string | undefined) => string

/**
 * `X-Forwarded-For` is read from its end, which the nearest proxy wrote, for as long as a trusted proxy vouches for it:
 * the first address that is none of theirs is the client's. What stands before it anybody may have written.
 *
 * @param networks each an address or a CIDR range; an IPv4 one holds for the address mapped into IPv6 too (RFC 4291
 * §2.5.5.2)
 */
export function clientAddress (networks: readonly string[]): ClientAddress {
  const trusted = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network !== null) trusted.addSubnet(network.address, network.prefix, network.family)
  }
  // Without an IPv6 address's zone (RFC 4007 §11).
  const isTrusted = (address: string): boolean =>
    trusted.check(address.split('%', 1)[0] ?? '', isIP(address) === 4 ? 'ipv4' : 'ipv6')

  return (peer, forwardedFor) => {
    let client = peer
    const hops = forwardedFor?.split(',') ?? []
    while (isIP(client) !== 0 && isTrusted(client)) {
      const hop = addressOf(hops.pop()?.trim() ?? '')
      if (hop === null) break
      client = hop
    }
    return client
  }
}

/** A hop's address without the port that some proxies write: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function addressOf (hop: string): string | null {
  const address = /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop
  return isIP(address) === 0 ? null : address
}
