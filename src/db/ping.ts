import { sql } from 'drizzle-orm'
import type { Drizzle } from './client.js'

const pingTimeoutMs = 5_000

/**
 * Asks the database for one row. A frozen database answers nothing, so there is a time-out; and callers who ask meanwhile
 * share the question, so that questions do not pile up behind one that nobody answers.
 */
export const sharedPing = (database: () => Drizzle): () => Promise<void> => {
  let asked: Promise<void> | null = null
  const ask = async (pool: Drizzle): Promise<void> => {
    try {
      await pool.execute(sql`select 1`)
    } finally {
      asked = null
    }
  }
  return async () => {
    asked ??= ask(database())
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`The database has not answered for ${pingTimeoutMs} ms.`)), pingTimeoutMs)
    })
    try {
      await Promise.race([asked, timeout])
    } finally {
      clearTimeout(timer)
    }
  }
}
