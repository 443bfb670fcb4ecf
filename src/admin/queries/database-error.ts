import { driverError, errorCode, isConnectionLost } from '../../db/database-errors.js'

export interface DatabaseFailure {
  /** What the driver threw. */
  readonly cause: unknown
  readonly reason: 'timeout' | 'busy' | 'unavailable' | 'other'
}

/** What kind of failure an error is, if a query threw it; `other` if none did. */
export function databaseFailure (error: unknown): DatabaseFailure {
  return { cause: driverError(error), reason: reasonOf(error) }
}

function reasonOf (error: unknown): DatabaseFailure['reason'] {
  const code = errorCode(error)
  if (code === QUERY_CANCELED) return 'timeout'
  if (rowsContended.test(code)) return 'busy'
  return isConnectionLost(error) ? 'unavailable' : 'other'
}

// SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
const QUERY_CANCELED = '57014'
/** Deadlock, serialisation failure, lock time-out: the recorder's batches write to the same rows. */
const rowsContended = /^40|^55P03$/
