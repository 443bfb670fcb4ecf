import { sql } from 'drizzle-orm'
import type { SQL } from 'drizzle-orm'

/** PostgreSQL's advisory locks share one number space per database: the first half of ours is 'prom' in ASCII. */
const namespace = 0x70726f6d

/**
 * Locks for work that only one instance does at a time. A number never changes its meaning: old and new builds may run
 * together.
 */
export const advisoryLocks = {
  migrate: 1, partitions: 2, recordedBatches: 3, retention: 4, reprice: 5, summaries: 6
} as const

export type AdvisoryLock = keyof typeof advisoryLocks

/** The two keys of a lock, as `pg_advisory_lock` and its kin take them. */
export const lockKeys = (lock: AdvisoryLock): SQL => sql`${namespace}::int, ${advisoryLocks[lock]}::int`
