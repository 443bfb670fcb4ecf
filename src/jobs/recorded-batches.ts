import { sql } from 'drizzle-orm'
import { lockKeys } from '../db/advisory-locks.js'
import type { Drizzle } from '../db/database.js'
import { RECORDED_BATCHES_KEPT_MS } from '../db/recorded-batches-horizon.js'
import { recordedBatches } from '../db/schema/index.js'
import type { Log } from '../log.js'
import { type Job, daily } from '../lib/scheduled-job.js'

/** Rows that one transaction deletes: short enough not to delay others. */
const CHUNK_ROWS = 10_000

/**
 * Deletes the ids of batches that were created and committed longer ago than `RECORDED_BATCHES_KEPT_MS`, and returns
 * how many. An id begins with its milliseconds, so the primary key finds them. The id of a batch that came late, from
 * a journal, stays until its commit is as old. Does nothing while another instance runs it.
 */
export async function forgetOldBatches (database: Drizzle, nowMs: number, chunkRows = CHUNK_ROWS): Promise<number> {
  const beforeMs = nowMs - RECORDED_BATCHES_KEPT_MS
  const before = new Date(beforeMs).toISOString()
  const idBefore = firstUuidOf(beforeMs)
  let deleted = 0
  for (;;) {
    const rows = await database.transaction(async tx => {
      const [lock] = await tx.execute<{ held: boolean }>(
        sql`select pg_try_advisory_xact_lock(${lockKeys('recordedBatches')}) as held`
      )
      if (lock?.held !== true) return 0
      const gone = await tx.execute(sql`delete from ${recordedBatches} where id in (
        select id from ${recordedBatches} where id < ${idBefore}::uuid and recorded_at < ${before}::timestamptz order by id limit ${chunkRows})`)
      return gone.count
    })
    deleted += rows
    if (rows < chunkRows) return deleted
  }
}

/** No UUIDv7 (RFC 9562 §5.7) of that millisecond or a later one is less. */
const firstUuidOf = (timeMs: number): string => {
  const time = timeMs.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`
}

/** Runs `forgetOldBatches` daily. */
export const scheduleRecordedBatches = (database: Drizzle, log: Log, now: () => number = Date.now): Job =>
  daily(async () => {
    const batches = await forgetOldBatches(database, now())
    if (batches > 0) log.info({ batches }, 'Deleted the ids of old batches')
  }, 'Could not delete the ids of old batches', log)
