import { createPartitions, monthOf } from '../db/partitions.js'
import type { Drizzle } from '../db/database.js'
import type { Log } from '../log.js'
import { type Job, daily } from '../lib/scheduled-job.js'

const monthsAhead = 3

/** Makes the usage log's partitions of this month (UTC) and the next three, where they are missing. */
export const ensurePartitions = async (database: Drizzle, nowMs: number): Promise<string[]> =>
  await createPartitions(database, Array.from({ length: monthsAhead + 1 }, (_, later) => monthOf(nowMs, later)))

/** Runs `ensurePartitions` daily. Where that fails there are months to try again in, and the batch writer makes a partition that is missing after all. */
export const schedulePartitions = (database: Drizzle, log: Log, now: () => number = Date.now): Job => daily(async () => {
  const created = await ensurePartitions(database, now())
  if (created.length > 0) log.info({ partitions: created }, 'Created partitions of the usage log')
}, 'Could not create partitions of the usage log', log)
