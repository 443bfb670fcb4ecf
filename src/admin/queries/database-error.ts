import { DrizzleQueryError } from 'drizzle-orm'

export interface DatabaseFailure {
  /** What the driver threw. Drizzle's own error repeats the statement with its parameters, which are not for the log. */
  readonly cause: unknown
  readonly reason: 'timeout' | 'busy' | 'unavailable' | 'other'
}

/** What kind of failure an error is, if a query threw it; `other` if none did. */
export function databaseFailure (error: unknown): DatabaseFailure {
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  return { cause, reason: reasonOf(code) }
}

function reasonOf (code: string): DatabaseFailure['reason'] {
  if (code === QUERY_CANCELED) return 'timeout'
  if (rowsContended.test(code)) return 'busy'
  return connectionLost.test(code) ? 'unavailable' : 'other'
}

// SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
const QUERY_CANCELED = '57014'
/** Deadlock, serialisation failure, lock time-out: the recorder's batches write to the same rows. */
const rowsContended = /^40|^55P03$/
/** Connection exceptions, out of resources, shutting down; postgres.js's own words for them; and the socket's. */
const connectionLost = /^(08|53|57P)|^CONNECT|^E(CONN|HOST|NET|TIMEDOUT|PIPE|AI_)|^ENOTFOUND$/
