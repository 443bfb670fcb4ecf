import type { Log } from '../log.js'

const MAX_CODINGS = 100
const MAX_NAME_CHARACTERS = 64

export interface UnreadCodings {
  readonly note: (contentEncoding: string, wasAsked: boolean) => void
}

/** Logs each coding once whose answers pass unread: their usage is not recorded. */
export function createUnreadCodings (log: Log): UnreadCodings {
  const noted = new Set<string>()
  return {
    note (contentEncoding, wasAsked) {
      const name = contentEncoding.trim().toLowerCase().slice(0, MAX_NAME_CHARACTERS)
      if (noted.has(name) || noted.size >= MAX_CODINGS) return
      noted.add(name)
      const added = wasAsked ? '; the usage that the gateway asked for cannot be removed from its streams' : ''
      log.warn({ contentEncoding: name }, 'the upstream answers in a coding that the gateway cannot decode: ' +
        `its responses pass unchanged, and their usage is not recorded${added}`)
    }
  }
}
