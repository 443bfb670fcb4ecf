import { pgTable, timestamp, uuid } from 'drizzle-orm/pg-core'

/** The id of every batch that was committed: writing a batch again finds its row and does nothing. */
export const recordedBatches = pgTable('recorded_batches', {
  id: uuid().primaryKey(),
  recorded_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow()
})
