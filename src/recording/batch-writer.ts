import postgres from 'postgres'
import { plainArray } from '../db/array-literal.js'
import { batchStatement } from '../db/batch-statement.js'
import type { Database } from '../db/client.js'
import { createPartitions, monthOf } from '../db/partitions.js'
import { configFields, counterFields, lastCallFields, logFields, rollupFields, rollupKeyFields } from './batch-fields.js'
import { keyText, moment, totalBatch } from './batch-totals.js'
import type { RecordBatch } from './call-record.js'

export interface BatchWriter {
  /**
   * Commits the batch, whole; once its id is committed, writing it again is a no-op. Rejects with the database's error;
   * see `isRefusal` for which of them are final.
   */
  write: (batch: RecordBatch) => Promise<void>
  /** Resolves if the database would take the batch, rejects as `write` would; nothing is committed. */
  tryOut: (batch: RecordBatch) => Promise<void>
}

const maxAttempts = 6
/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const serializationFailure = '40001'
const deadlockDetected = '40P01'
const foreignKeyViolation = '23503'
const checkViolation = '23514'

/** Writes batches as one prepared statement each: one round trip, one commit. */
export function createBatchWriter (database: Pick<Database, 'recording'>): BatchWriter {
  const write = async (batch: RecordBatch): Promise<void> => {
    if (batch.entries.length === 0) return
    const parameters = batchParameters(batch)
    for (let attempt = 1; ; attempt++) {
      try {
        await database.recording.$client.unsafe(statement, parameters, { prepare: true })
        return
      } catch (error) {
        if (attempt === maxAttempts || !await isCured(error, batch)) throw error
      }
    }
  }
  /** Whether the batch can be tried again at once. */
  const isCured = async (error: unknown, batch: RecordBatch): Promise<boolean> => {
    switch (error instanceof postgres.PostgresError ? error.code : '') {
      case serializationFailure:
      case deadlockDetected:
      case foreignKeyViolation: // the config was deleted under it: it is created again
        return true
      case checkViolation: // no table here has a check but for its partition's bounds: a month without a partition
        await createPartitions(database.recording, batch.entries.map(({ record }) => monthOf(moment(record.createdAtMs))))
        return true
      default:
        return false
    }
  }
  const tryOut = async (batch: RecordBatch): Promise<void> => {
    const rolledBack = new Error('rolled back')
    try {
      await database.recording.$client.begin(async transaction => {
        await transaction.unsafe(statement, batchParameters(batch), { prepare: true })
        throw rolledBack
      })
    } catch (error) {
      if (error !== rolledBack) throw error
    }
  }
  return { write, tryOut }
}

/**
 * Whether the database will never take this batch as it is (bad data), rather than not now (it is away, full, or busy):
 * SQLSTATE classes 22 (data exception), 23 (integrity) and 54 (a limit exceeded).
 */
export function isRefusal (error: unknown): boolean {
  return error instanceof postgres.PostgresError && /^(22|23|54)/.test(error.code)
}

const columnsOf = <Row extends { column: unknown }> (fields: readonly Row[]): Row['column'][] => fields.map(({ column }) => column)

const statement = batchStatement({
  config: columnsOf(configFields),
  counters: columnsOf(counterFields),
  lastCall: columnsOf(lastCallFields),
  rollupKey: columnsOf(rollupKeyFields),
  rollup: columnsOf(rollupFields),
  log: columnsOf(logFields)
})

function batchParameters ({ id, entries }: RecordBatch): string[] {
  const { types, rollups, typePositions } = totalBatch(entries)
  const logged = entries.filter(({ record }) => record.logged)
  return [
    id,
    ...[...configFields, ...counterFields, ...lastCallFields].map(({ toArray }) => toArray(types)),
    ...[...rollupKeyFields, ...rollupFields].map(({ toArray }) => toArray(rollups)),
    ...logFields.map(({ toArray }) => toArray(logged)),
    plainArray(logged, ({ record }) => typePositions.get(keyText(record.promptType)) ?? null)
  ]
}
