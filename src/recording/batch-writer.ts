import { setImmediate } from 'node:timers/promises'
import postgres from 'postgres'
import { type BatchAnswer, writeBatchStatement } from '../db/batch-statement.js'
import type { Database } from '../db/database.js'
import { createPartitions, monthOf } from '../db/partitions.js'
import type { SpentBudget } from '../db/policy-store.js'
import { LONG_PAYLOADS, payloadCharacters } from './batch-json.js'
import { logFields, rollupRowFields, typeFields } from './batch-columns.js'
import { Texts, rowArray } from './composite-literal.js'
import { moment, totalBatch } from './batch-totals.js'
import type { BatchTotals } from './batch-totals.js'
import type { RecordBatch } from './call-record.js'

export interface BatchWriter {
  /**
   * Commits the batch, whole; once its id is committed, writing it again is a no-op. Rejects with the database's error;
   * see `rejectionOf` for which of them are final.
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

export interface BatchWriterOptions {
  /** The number of configs whose ids are remembered. */
  readonly maxConfigIds?: number
  /**
   * Told what is spent of budgets as soon as a batch that adds to them is known to be committed, before `write`
   * resolves.
   */
  readonly onSpent?: ((spent: readonly SpentBudget[]) => void) | undefined
}

/** Writes batches as one call of a prepared function each: one round trip, one commit. */
export function createBatchWriter (
  database: Pick<Database, 'recording'>, { maxConfigIds = 20_000, onSpent }: BatchWriterOptions = {}
): BatchWriter {
  /** By prompt type, as Postgres writes them. One that is out of date fails the batch by its foreign key. */
  const configIds = new Map<string, string>()
  const write = async (batch: RecordBatch): Promise<void> => {
    if (batch.entries.length === 0) return
    const totals = totalBatch(batch.entries)
    for (let attempt = 1; ; attempt++) {
      try {
        const parameters = batchParameters(batch.id, totals, configIds)
        // The driver encodes them in one go.
        if (payloadCharacters(batch) > LONG_PAYLOADS) await setImmediate()
        const [row] = await database.recording.$client.unsafe<{
          answer: string | null
        }[]>(writeBatchStatement, parameters, { prepare: true })
        if (row === undefined) throw new Error('The database gave no answer to a batch.')
        if (row.answer != null) take(totals, JSON.parse(row.answer) as BatchAnswer)
        return
      } catch (error) {
        for (const { promptType } of totals.types) configIds.delete(promptType)
        if (attempt === maxAttempts || !await isCured(database, error, batch, attempt)) throw error
      }
    }
  }
  const take = ({ types }: BatchTotals, { configIds: ids, spent }: BatchAnswer): void => {
    if (ids != null) {
      if (configIds.size + types.length > maxConfigIds) configIds.clear()
      types.forEach(({ promptType }, index) => configIds.set(promptType, String(ids[index] ?? 'NULL')))
    }
    if (spent != null) onSpent?.(spent)
  }
  const tryOut = async (batch: RecordBatch): Promise<void> => {
    const rolledBack = new Error('rolled back')
    for (let attempt = 1; ; attempt++) {
      try {
        await database.recording.$client.begin(async transaction => {
          await transaction.unsafe(writeBatchStatement, batchParameters(
            batch.id, totalBatch(batch.entries), new Map()
          ), { prepare: true })
          throw rolledBack
        })
      } catch (error) {
        if (error === rolledBack) return
        if (attempt === maxAttempts || !await isCured(database, error, batch, attempt)) throw error
      }
    }
  }
  return { write, tryOut }
}

/** Whether the batch can be tried again at once. */
async function isCured (
  { recording }: Pick<Database, 'recording'>, error: unknown, { entries }: RecordBatch, attempt: number
): Promise<boolean> {
  switch (error instanceof postgres.PostgresError ? error.code : '') {
    case serializationFailure:
    case deadlockDetected:
    case foreignKeyViolation: // the config was deleted under it: it is created again
      return true
    case checkViolation: { // a month without a partition, or a check that is not ours
      const created = await createPartitions(
        recording, entries.map(({ record }) => monthOf(moment(record.createdAtMs)))
      )
      // Another instance may have made it meanwhile.
      return created.length > 0 || attempt === 1
    }
    default:
      return false
  }
}

function batchParameters (
  id: string, { types, rollups, logs }: BatchTotals, configIds: ReadonlyMap<string, string>
): string[] {
  const texts = new Texts()
  return [
    id,
    `{${types.map(({ promptType }) => configIds.get(promptType) ?? 'NULL').join(',')}}`,
    rowArray(typeFields, types, texts),
    rowArray(rollupRowFields, rollups, texts),
    rowArray(logFields, logs, texts),
    texts.join(id)
  ]
}

/**
 * SQLSTATE classes that may tell of a record: cardinality (21), data exception (22), integrity (23), triggers and
 * functions of an operator's own (27, 2F, 38, 39, P0), check option (44).
 */
const recordClasses = /^(21|22|23|27|2F|38|39|44|P0)/
/**
 * That tell of the statement, whatever its records: not supported (0A), schema and rights (3F, 42), a limit
 * exceeded (54), internal (XX).
 */
const statementClasses = /^(0A|3F|42|54|XX)/

/**
 * Why the database rejects a batch: its records may be at fault, or the statement. Null: the batch may succeed later,
 * because the database's state or the connection is at fault. That includes prepared statements (26) that a pooler has
 * lost.
 */
export type Rejection = 'record' | 'statement' | null

export function rejectionOf (error: unknown): Rejection {
  // A config that is deleted again and again while its calls are written: the next try will find it, or make it.
  if (!(error instanceof postgres.PostgresError) || error.code === foreignKeyViolation) return null
  if (recordClasses.test(error.code)) return 'record'
  return statementClasses.test(error.code) ? 'statement' : null
}
