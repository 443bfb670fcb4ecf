import { isIPv6 } from 'node:net'

export interface LoginFailures {
  /** Seconds until this address may try again; 0 if it may now. */
  retryAfterSeconds: (address: string) => number
  add: (address: string) => void
}

/**
 * Counts failed logins per address over a sliding window. It remembers at most `limit` times of at most `maxAddresses`
 * addresses. A new address in a full table replaces the one that was first seen.
 */
export function createLoginFailures ({
  limit = 10, windowMs = 60_000, maxAddresses = 10_000, now = Date.now
} = {}): LoginFailures {
  const failures = new Map<string, number[]>()

  function recent (guesser: string): number[] {
    const from = now() - windowMs
    return failures.get(guesser)?.filter(time => time > from) ?? []
  }

  return {
    retryAfterSeconds (address) {
      const [oldest, ...others] = recent(guesserAt(address))
      if (oldest === undefined || others.length + 1 < limit) return 0
      return Math.ceil((oldest + windowMs - now()) / 1000)
    },
    add (address) {
      const guesser = guesserAt(address)
      const times = [...recent(guesser), now()].slice(-limit)
      const [first] = failures.keys()
      if (first !== undefined && failures.size >= maxAddresses && !failures.has(guesser)) failures.delete(first)
      failures.set(guesser, times)
    }
  }
}

/**
 * Who guesses from this address. One who has an IPv6 address has the 2⁶⁴ of its subnet (RFC 4291 §2.5.4), so these
 * count as one; an IPv4 address is the same one when a socket for both maps it into IPv6 (§2.5.5.2).
 */
function guesserAt (address: string): string {
  const withoutZone = address.replace(/%[^]*/, '')
  if (!isIPv6(withoutZone)) return address
  const groups = ipv6Groups(withoutZone)
  const isMapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff'
  return isMapped ? ipv4Of(groups.slice(6)) : groups.slice(0, 4).join(':')
}

/**
 * The eight groups of an IPv6 address, which the URL parser brings into one form
 * (https://url.spec.whatwg.org/#concept-ipv6-serializer).
 */
function ipv6Groups (address: string): string[] {
  const [head = [], tail = []] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
    .map(half => half === '' ? [] : half.split(':'))
  return [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
}

const ipv4Of = (groups: string[]): string => groups.flatMap(group => {
  const bits = parseInt(group, 16)
  return [bits >> 8, bits & 0xff]
}).join('.')
