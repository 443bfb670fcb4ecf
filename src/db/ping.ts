import { performance } from 'node:perf_hooks'
import { sql } from 'drizzle-orm'
import type { Drizzle } from './database.js'
import type { AtWork } from './local-settings.js'

const pingTimeoutMs = 5_000

/**
 * Asks the database for one row, with a time-out, because a frozen database never answers. Concurrent callers share
 * the query, so that queries do not accumulate behind one without an answer.
 */
export const sharedPing = (database: () => Drizzle): () => Promise<void> => {
  let asked: Promise<void> | null = null
  const ask = async (pool: Drizzle): Promise<void> => { await pool.execute(sql`select 1`) }
  return async () => {
    const question = asked ??= ask(database())
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`The database has not answered for ${pingTimeoutMs} ms.`)), pingTimeoutMs
      )
    })
    try {
      await Promise.race([question, timeout])
    } finally {
      clearTimeout(timer)
      // Also one that was never answered: the connection that it was lost with is not the next one's.
      if (asked === question) asked = null
    }
  }
}

/** Each statement of an operator has a time-out of 15 s, and waits 5 s for a lock. */
const BUSY_MS = 60_000

/**
 * A ping of a pool whose connections may all be busy. That is no fault, unless none of them has progressed for a
 * minute: then its statements are lost, time-outs included.
 */
export const pingUnlessBusy = (
  ping: () => Promise<void>, connections: number, { transactions, movedAtMs }: AtWork,
  monotonicMs = () => performance.now()
) => async (): Promise<void> => {
  const isBusy = (): boolean => transactions() >= connections && monotonicMs() - movedAtMs() < BUSY_MS
  if (isBusy()) return
  await ping().catch((error: unknown) => { if (!isBusy()) throw error })
}
