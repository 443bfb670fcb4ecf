import { DrizzleQueryError } from 'drizzle-orm'

/** A PostgreSQL that could not be reached since the start. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable'
}

/**
 * The driver's own error. drizzle wraps it, and repeats the statement with its parameters, which must not be logged.
 */
export const driverError = (error: unknown): unknown => error instanceof DrizzleQueryError ? error.cause : error

/** SQLSTATE, or the driver's or the socket's own code; '' where there is none. */
export function errorCode (error: unknown): string {
  const cause = driverError(error)
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
}

/** Whether the database is unavailable, full or closing, rather than rejecting the statement. */
export const isConnectionLost = (error: unknown): boolean =>
  error instanceof DatabaseUnavailable || connectionLost.test(errorCode(error))

/**
 * Connection exceptions, out of resources, shutting down
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html); postgres.js's own words for them; and the socket's.
 */
const connectionLost = /^(08|53|57P)|^CONNECT|^E(CONN|HOST|NET|TIMEDOUT|PIPE|AI_)|^ENOTFOUND$/
