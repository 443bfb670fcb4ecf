export interface LoginFailures {
  /** Seconds until this address may try again; 0 if it may now. */
  retryAfterSeconds: (address: string) => number
  add: (address: string) => void
}

/**
 * Counts failed logins per address over a sliding window. At most `limit` times are kept of at most `maxAddresses`
 * addresses; when a new one comes to a full table, the address that was first seen makes room.
 */
export function createLoginFailures ({ limit = 10, windowMs = 60_000, maxAddresses = 10_000, now = Date.now } = {}): LoginFailures {
  const failures = new Map<string, number[]>()

  function recent (address: string): number[] {
    const from = now() - windowMs
    return failures.get(address)?.filter(time => time > from) ?? []
  }

  return {
    retryAfterSeconds (address) {
      const [oldest, ...others] = recent(address)
      if (oldest === undefined || others.length + 1 < limit) return 0
      return Math.ceil((oldest + windowMs - now()) / 1000)
    },
    add (address) {
      const times = [...recent(address), now()].slice(-limit)
      const [first] = failures.keys()
      if (first !== undefined && failures.size >= maxAddresses && !failures.has(address)) failures.delete(first)
      failures.set(address, times)
    }
  }
}
