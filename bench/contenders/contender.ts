import type { PostgresServer } from '../../test/helpers/postgres-server.js'
import type { Child } from '../child-process.js'

/** What every contender is started in front of. */
export interface Surroundings {
  /** `http://127.0.0.1:<port>` of the scripted upstream. */
  readonly upstreamOrigin: string
  readonly postgres: PostgresServer
}

/** A gateway under measurement, in processes of its own. */
export interface Contender {
  readonly name: string
  readonly origin: string
  /** Headers that it needs on each call. */
  readonly headers: Readonly<Record<string, string>>
  /** Processes whose CPU time and memory are its own. */
  readonly pids: readonly number[]
  /** Processes of its database, where that is a server of its own. */
  readonly databasePids: (() => Promise<number[]>) | null
  /** What it has recorded so far; null for one that records nothing. */
  readonly books: (() => Promise<Books>) | null
  /** The longest that its event loop was held since the last question; null where it is not watched. */
  readonly longestHoldMs: (() => Promise<number>) | null
  /** What is in use of its JavaScript heap after a collection; null where it is not watched. */
  readonly heapUsedBytes: (() => Promise<number>) | null
  readonly stop: () => Promise<void>
}

export interface Books {
  readonly calls: number
  readonly failedCalls: number
  readonly outputTokens: number
}

/** Starts a contender, or says why there is none. */
export type StartContender = (surroundings: Surroundings, options: {
  readonly watchLoop: boolean
}) => Promise<Contender | { readonly missing: string }>

/** Asks the event-loop watch within a process (loop-watch.ts). */
export const askLongestHold = (child: Child) => async (): Promise<number> => {
  const answer = child.nextMessage()
  child.send({})
  const { longestHoldMs } = await answer as { longestHoldMs: number }
  return longestHoldMs
}

/** Has the process collect its garbage. */
export const askHeapUsed = (child: Child) => async (): Promise<number> => {
  const answer = child.nextMessage()
  child.send({ heap: true })
  const { heapUsedBytes } = await answer as { heapUsedBytes: number }
  return heapUsedBytes
}
