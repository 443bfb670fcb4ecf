import { performance } from 'node:perf_hooks'
import { sql } from 'drizzle-orm'
import type { Drizzle } from './database.js'
import type { AtWork } from './local-settings.js'

const pingTimeoutMs = 5_000

/**
 * Asks the database for one row. A frozen database answers nothing, so there is a time-out; and callers who ask meanwhile
 * share the question, so that questions do not pile up behind one that nobody answers.
 */
export const sharedPing = (database: () => Drizzle): () => Promise<void> => {
  let asked: Promise<void> | null = null
  const ask = async (pool: Drizzle): Promise<void> => { await pool.execute(sql`select 1`) }
  return async () => {
    const question = asked ??= ask(database())
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`The database has not answered for ${pingTimeoutMs} ms.`)), pingTimeoutMs)
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
 * A ping of a pool whose connections may all be at work. Such a pool is busy, which is no fault, unless nothing of it
 * has moved for a minute: then its statements are lost, time-outs and all.
 */
export const pingUnlessBusy = (
  ping: () => Promise<void>, connections: number, { transactions, movedAtMs }: AtWork,
  monotonicMs = () => performance.now()
) => async (): Promise<void> => {
  const isBusy = (): boolean => transactions() >= connections && monotonicMs() - movedAtMs() < BUSY_MS
  if (isBusy()) return
  await ping().catch((error: unknown) => { if (!isBusy()) throw error })
}
