import { createPartitions, monthOf } from '../db/partitions.js'
import type { Drizzle } from '../db/database.js'
import type { Log } from '../log.js'
import { type Job, daily } from '../lib/scheduled-job.js'

const monthsAhead = 3

/** Creates the missing partitions of the usage log for this month (UTC) and the next three. */
export const ensurePartitions = async (database: Drizzle, nowMs: number): Promise<string[]> =>
  await createPartitions(database, Array.from({ length: monthsAhead + 1 }, (_, later) => monthOf(nowMs, later)))

/**
 * Runs `ensurePartitions` daily. A failure leaves months for further tries, and the batch writer creates a missing
 * partition itself.
 */
export const schedulePartitions = (database: Drizzle, log: Log, now: () => number = Date.now): Job =>
  daily(async () => {
    const created = await ensurePartitions(database, now())
    if (created.length > 0) log.info({ partitions: created }, 'Created partitions of the usage log')
  }, 'Could not create partitions of the usage log', log)
