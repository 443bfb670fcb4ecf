import type { AnyPgColumn } from 'drizzle-orm/pg-core'

export type Column = AnyPgColumn

/**
 * Writes a batch, by the function that drizzle/0001_write_batch.sql makes and explains. Its parameters: the batch's id;
 * for each prompt type its config's id or null; prompt types, rollups and log rows, each as an array of the function's
 * row types; the texts that those rows name by their place, with the batch's id in between. One row comes back: the
 * configs' ids where one of them was null, else null.
 *
 * A function, and not the same statements chained by `WITH`: Postgres sets up only what a batch needs, which for a lone
 * record takes it two thirds of the time, and the driver looks its prepared statement up by the whole text.
 */
export const writeBatchStatement = 'select write_batch_v1($1, $2, $3, $4, $5, $6) as config_ids'

/** The row types of its parameters, by the names that Postgres knows them by. */
export const batchRowTypes = { type: 'write_batch_v1_type', rollup: 'write_batch_v1_rollup', log: 'write_batch_v1_log' } as const
