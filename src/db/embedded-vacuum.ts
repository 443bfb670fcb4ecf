import { sql } from 'drizzle-orm'
import type { Log } from '../log.js'
import type { Drizzle } from './database.js'
import { gatewaySettings, promptConfigs, promptStats, usageRollups } from './schema/index.js'

const checkMs = 5_000
/** What goes over the connection between two vacuums of the counters: what they may bloat by is a few times as much. */
const hotBytes = 4 * 1024 * 1024
const hourMs = 3_600_000

/**
 * Vacuums the embedded database, because PGlite has neither autovacuum nor a checkpointer. Without it, counters that
 * are updated a thousand times a second grow fifty-fold, and the write-ahead log without end, and with it the start
 * after a crash. After two thousand million transactions Postgres would accept no more. Does nothing while the
 * database is idle.
 */
export function scheduleVacuum (database: Drizzle, sentBytes: () => number, log: Log): { close: () => Promise<void> } {
  let hotAt = 0
  let allAt = 0
  let sinceAllMs = 0
  let running: Promise<void> = Promise.resolve()
  let busy = false
  const run = async (): Promise<void> => {
    busy = true
    try {
      sinceAllMs += checkMs
      if (sinceAllMs >= hourMs && sentBytes() > allAt) {
        await database.execute(sql`vacuum (analyze)`)
        sinceAllMs = 0
        allAt = sentBytes()
      }
      if (sentBytes() - hotAt >= hotBytes) {
        await vacuumHotTables(database)
        hotAt = sentBytes()
      }
    } catch (error) {
      log.warn({ err: error }, 'The embedded database could not be vacuumed; trying again')
    } finally {
      busy = false
    }
  }
  const timer = setInterval(() => { if (!busy) running = run() }, checkMs).unref()
  return {
    close: async () => {
      clearInterval(timer)
      await running
    }
  }
}

/**
 * The tables whose rows are updated by every batch, and a checkpoint. Each table by itself: a commit may go between.
 */
export async function vacuumHotTables (database: Drizzle): Promise<void> {
  for (const table of [promptStats, usageRollups, promptConfigs, gatewaySettings]) {
    await database.execute(sql`vacuum (analyze) ${table}`)
  }
  await database.execute(sql`checkpoint`)
}
