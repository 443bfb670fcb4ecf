import { createPartitions, monthOf } from '../db/partitions.js'
import type { Drizzle } from '../db/client.js'
import type { Log } from '../log.js'

const monthsAhead = 3
const dayMs = 86_400_000
const retryMs = 60_000

/** Makes the usage log's partitions of this month (UTC) and the next three, where they are missing. */
export const ensurePartitions = async (database: Drizzle, nowMs: number): Promise<string[]> =>
  await createPartitions(database, Array.from({ length: monthsAhead + 1 }, (_, later) => monthOf(nowMs, later)))

export interface PartitionsJob {
  /** The first run is over: this month has its partition, or the log says why not. */
  readonly firstRun: Promise<void>
  /** Waits for a run that is under way; none begins afterwards. */
  close: () => Promise<void>
}

/**
 * Runs `ensurePartitions` now and every day, and a minute after a failure. A failure is logged, not thrown: there are months
 * to try again in, and the batch writer makes a partition that is missing after all.
 */
export const schedulePartitions = (database: Drizzle, log: Log, now: () => number = Date.now): PartitionsJob => {
  let closed = false
  let timer: NodeJS.Timeout | undefined
  const run = async (): Promise<void> => {
    let nextMs = dayMs
    try {
      const created = await ensurePartitions(database, now())
      if (created.length > 0) log.info({ partitions: created }, 'Made partitions of the usage log')
    } catch (error) {
      nextMs = retryMs
      log.error({ err: error }, 'Could not make partitions of the usage log; trying again in a minute')
    }
    if (!closed) timer = setTimeout(start, nextMs).unref()
  }
  let running: Promise<void> = Promise.resolve()
  const start = (): void => { running = run() }
  start()
  return {
    firstRun: running,
    close: async () => {
      closed = true
      clearTimeout(timer)
      await running
    }
  }
}
