import { sql } from 'drizzle-orm'
import type { Drizzle } from './client.js'

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
