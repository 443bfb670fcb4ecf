import { sql } from 'drizzle-orm'
import { lockKeys } from '../db/advisory-locks.js'
import type { Drizzle } from '../db/database.js'
import { errorCode } from '../db/database-errors.js'
import { dropPartitionBefore } from '../db/partitions.js'
import { usageLogs } from '../db/schema/index.js'
import type { Log } from '../log.js'
import { pause } from '../lib/timeouts.js'
import { type Job, repeatedly } from '../lib/scheduled-job.js'

/** How long the log of a call is retained, in days of 24 hours. */
export interface RetentionDays {
  /** `LOG_RETENTION_DAYS`: whole rows, which go with their month. */
  readonly logs: number
  /** `PAYLOAD_RETENTION_DAYS`: the prompt and response in them. */
  readonly payloads: number
}

const DAY_MS = 86_400_000
/** The log is never free of queries for long, and never busy with one that takes longer than operators' may. */
const DROP_ATTEMPTS = 10
const DROP_PAUSE_MS = 2000
/** Rows of up to a megabyte that one transaction empties. Waiting batches then get their turn. */
const CHUNK_ROWS = 200
const CHUNK_PAUSE_MS = 50
/** SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html */
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Drops the months of the log that ended more than `days` days ago, and returns their partitions. Statistics, rollups
 * and `last_*` are in tables of their own, and stay.
 * @throws what the database throws, if the log is in use at every try
 */
export async function dropOldLogs (
  database: Drizzle, nowMs: number, days: number, closing: AbortSignal, pauseMs = DROP_PAUSE_MS
): Promise<string[]> {
  const dropped: string[] = []
  for (let attempt = 1; !closing.aborted;) {
    try {
      const name = await dropPartitionBefore(database, nowMs - days * DAY_MS)
      if (name === null) break
      dropped.push(name)
    } catch (error) {
      if (attempt++ === DROP_ATTEMPTS || errorCode(error) !== LOCK_NOT_AVAILABLE) throw error
      await pause(pauseMs, closing)
    }
  }
  return dropped
}

/**
 * Deletes the prompt and response of rows older than `days` days, the oldest first, and returns how many. Rows that a
 * repricing has locked wait for the next day. Ends early if another instance runs it.
 */
export async function emptyOldPayloads (
  database: Drizzle, nowMs: number, days: number, closing: AbortSignal, chunkRows = CHUNK_ROWS
): Promise<number> {
  const before = new Date(nowMs - days * DAY_MS).toISOString()
  let emptied = 0
  while (!closing.aborted) {
    const rows = await database.transaction(async tx => {
      const [lock] = await tx.execute<{ held: boolean }>(
        sql`select pg_try_advisory_xact_lock(${lockKeys('retention')}) as held`
      )
      if (lock?.held !== true) return 0
      const { count } = await tx.execute(sql`
        with due as materialized (
          select id, created_at from ${usageLogs}
          where created_at < ${before}::timestamptz and (prompt is not null or response is not null)
          order by created_at, id limit ${chunkRows} for no key update skip locked
        )
        update ${usageLogs} as log set prompt = null, response = null
        from due where log.id = due.id and log.created_at = due.created_at and log.created_at < ${before}::timestamptz`)
      return count
    })
    emptied += rows
    if (rows < chunkRows) break
    await pause(CHUNK_PAUSE_MS, closing)
  }
  return emptied
}

/** Runs both now and daily. */
export const scheduleRetention = (
  database: Drizzle, days: RetentionDays, log: Log, now: () => number = Date.now
): Job =>
  repeatedly(DAY_MS, async closing => {
    const partitions = await dropOldLogs(database, now(), days.logs, closing)
    if (partitions.length > 0) {
      log.info(
        { partitions }, 'Dropped months of the usage log that are older than LOG_RETENTION_DAYS'
      )
    }
    const rows = await emptyOldPayloads(database, now(), days.payloads, closing)
    if (rows > 0) log.info({ rows }, 'Deleted prompts and responses that are older than PAYLOAD_RETENTION_DAYS')
  }, 'Could not remove what is older than LOG_RETENTION_DAYS and PAYLOAD_RETENTION_DAYS', log)
