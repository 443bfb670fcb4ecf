import { performance } from 'node:perf_hooks'
import type { Log } from '../log.js'
import type { RecordBatch } from './call-record.js'
import type { RecorderObserver } from './recorder-observer.js'

/** The database takes none of a batch's records, or not the statement itself. Its cause is the database's own error. */
export class RefusedWhole extends Error {
  override readonly name = 'RefusedWhole'

  constructor (cause: unknown) {
    super(`the database rejects a whole batch: ${String(cause)}`, { cause })
  }
}

export interface RefusedBatchesOptions {
  readonly observer: Pick<RecorderObserver, 'refused'>
  readonly log: Log
}

const LOGGED_EVERY_MS = 60_000

/**
 * Batches that the database refused whole. That is its own fault (a trigger, a schema of another build, what an
 * extension does not support), so they wait in the journal; only where others went in since are their records at
 * fault.
 */
export class RefusedBatches {
  readonly #options: RefusedBatchesOptions
  /** Batch id → how many batches had gone in when it was last refused. */
  readonly #refused = new Map<string, number>()
  #committed = 0
  #loggedAtMs = -Infinity
  #unlogged = 0

  constructor (options: RefusedBatchesOptions) {
    this.#options = options
  }

  /** A batch went in. */
  committed (): void { this.#committed++ }

  /** It was refused whole before. */
  has ({ id }: RecordBatch): boolean { return this.#refused.has(id) }

  /** It was refused whole before, and others went in since. */
  othersWentInSince ({ id }: RecordBatch): boolean {
    const before = this.#refused.get(id)
    return before !== undefined && before < this.#committed
  }

  /** @returns whether it is the first time since any other went in */
  add (batch: RecordBatch, error: RefusedWhole): boolean {
    const isNew = !this.has(batch)
    const isFirst = isNew || this.othersWentInSince(batch)
    this.#refused.set(batch.id, this.#committed)
    if (isNew) {
      this.#options.observer.refused(batch.entries.length)
      this.#tell(batch, error.cause)
    }
    return isFirst
  }

  /** Nothing more becomes of it. */
  settle ({ id }: RecordBatch): void { this.#refused.delete(id) }

  /** Once a minute: where one is refused, all that follow may be. */
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
