import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { SpentBudget } from './policy-store.js'

export type Column = AnyPgColumn

/**
 * Writes a batch, by the function that drizzle/0003_write_batch_v2.sql makes and 0001_write_batch.sql explains. Its
 * parameters: the batch's id; for each prompt type its config's id or null; prompt types, rollups and log rows, each as
 * an array of the function's row types; the texts that those rows name by their place, with the batch's id in between.
 * One row comes back: null, which is the usual case, or a `BatchAnswer` as JSON text.
 *
 * A function, and not the same statements chained by `WITH`: Postgres sets up only what a batch needs, which for a lone
 * record takes it two thirds of the time, and the driver looks its prepared statement up by the whole text.
 */
export const writeBatchStatement = 'select write_batch_v2($1, $2, $3, $4, $5, $6) as answer'

/** What the database tells of a batch that it has committed. */
export interface BatchAnswer {
  /** Of each prompt type, where one was not given. */
  readonly configIds?: readonly number[] | null
  /** What is now spent of the blocking budgets that the batch adds to; null: it adds to none. */
  readonly spent?: readonly SpentBudget[] | null
}

/** The row types of its parameters, by the names that Postgres knows them by. */
export const batchRowTypes = {
  type: 'write_batch_v2_type', rollup: 'write_batch_v2_rollup', log: 'write_batch_v2_log'
} as const
