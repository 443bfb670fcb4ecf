import { performance } from 'node:perf_hooks'
import type { Log } from '../log.js'
import type { RecordBatch } from './call-record.js'
import type { RecorderObserver } from './recorder-observer.js'

/** The database rejects all records of a batch, or the statement itself. Its cause is the database's own error. */
export class BatchRejected extends Error {
  override readonly name = 'BatchRejected'

  constructor (cause: unknown) {
    super(`the database rejects a whole batch: ${String(cause)}`, { cause })
  }
}

export interface RejectedBatchesOptions {
  readonly observer: Pick<RecorderObserver, 'refused'>
  readonly log: Log
}

const LOGGED_EVERY_MS = 60_000

/**
 * Batches that the database rejected whole. That is the fault of the database (a trigger, a schema of another build, a
 * limit of an extension), so they wait in the journal. Their records are at fault only if other batches were committed
 * since.
 */
export class RejectedBatches {
  readonly #options: RejectedBatchesOptions
  /** Batch id → how many batches were committed when it was last rejected. */
  readonly #rejected = new Map<string, number>()
  #committed = 0
  #loggedAtMs = -Infinity
  #unlogged = 0

  constructor (options: RejectedBatchesOptions) {
    this.#options = options
  }

  /** A batch was committed. */
  committed (): void { this.#committed++ }

  /** It was rejected whole before. */
  has ({ id }: RecordBatch): boolean { return this.#rejected.has(id) }

  /** It was rejected whole before, and others were committed since. */
  othersCommittedSince ({ id }: RecordBatch): boolean {
    const before = this.#rejected.get(id)
    return before !== undefined && before < this.#committed
  }

  /** @returns whether it is the first time since any other was committed */
  add (batch: RecordBatch, error: BatchRejected): boolean {
    const isNew = !this.has(batch)
    const isFirst = isNew || this.othersCommittedSince(batch)
    this.#rejected.set(batch.id, this.#committed)
    if (isNew) {
      this.#options.observer.refused(batch.entries.length)
      this.#tell(batch, error.cause)
    }
    return isFirst
  }

  /** The batch is done with, by commit or dead letters. */
  settle ({ id }: RecordBatch): void { this.#rejected.delete(id) }

  /** Once a minute: where one is rejected, all that follow may be. */
  #tell ({ entries }: RecordBatch, cause: unknown): void {
    this.#unlogged += entries.length
    const nowMs = performance.now()
    if (nowMs - this.#loggedAtMs < LOGGED_EVERY_MS) return
    this.#options.log.error({ err: cause, sqlstate: sqlStateOf(cause), records: this.#unlogged },
      `the database rejects whole batches of records (SQLSTATE ${sqlStateOf(cause) ?? 'unknown'}); ` +
      'they wait in the journal and are tried again. Fix the database: look for a trigger, a constraint, ' +
      'a missing right or column, or an extension that does not support the statement')
    this.#loggedAtMs = nowMs
    this.#unlogged = 0
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
function sqlStateOf (error: unknown): string | null {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : null
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null
}
