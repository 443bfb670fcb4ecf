import { performance } from 'node:perf_hooks'
import type { Log } from '../log.js'
import type { RecordBatch } from './call-record.js'
import { DatabaseWrite, type WritableDatabase } from './database-write.js'
import type { Journal } from './journal.js'
import { DeadLetters, type DeadLettersOptions } from './dead-letters.js'
import { LossLog } from './loss-log.js'
import type { RecorderObserver } from './recorder-observer.js'
import { RejectedBatches, BatchRejected } from './rejected-batches.js'
import { uuidTimeMs } from './uuid-v7.js'
import { pause, within } from '../lib/timeouts.js'

export interface DurableWriterOptions {
  readonly database: WritableDatabase & {
    /** For so long it knows which batches were committed. */
    readonly remembersForMs: number
  }
  readonly journal: Pick<Journal, 'append' | 'oldest' | 'dropOldest' | 'setOldestBack' | 'isEmpty'>
  readonly appendDeadLetter: DeadLettersOptions['appendDeadLetter']
  readonly observer: RecorderObserver
  /** Told once of each batch that nothing more becomes of: it is in the database, or never will be. Must not throw. */
  readonly onSettled?: (batch: RecordBatch) => void
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Log
}

const RETRY_FIRST_MS = 50
const RETRY_MAX_MS = 2000
/** With the pauses between them, every 15 seconds or so. */
const RECONNECT_EVERY = 10
/** How long a shutdown waits for a commit in flight; the journal has the batch. */
const CLOSE_WAIT_MS = 1000

/**
 * Writes batches durably: to the database, or to the journal until the database accepts them.
 *
 * ```
 *            ┌──────── direct ────────┐    not committed in time    ┌────── unavailable ──────┐
 * save() ──▶ │ database, retried      │ ──────────────────────────▶ │ journal; none: lost     │ ◀── save()
 *            │ until `deadlineMs`     │ ◀────────────────────────── │ replay: the oldest,     │
 *            └────────────────────────┘   its first commit, or an   │ again and again, with   │
 *                                         answered ping             │ pauses                  │
 *                                                                   └─────────────────────────┘
 * ```
 *
 * A journaled batch stays until its replay commits. Its id makes a second commit a no-op. During a replay, which is in
 * order, new batches go directly into the database: under load the journal might never be empty. The result is the
 * same, because counters do not depend on the order, and the latest call is found by its time.
 *
 * A batch that the database rejects whole is the database's fault: it is set back in the journal, behind all others,
 * and tried again. Its records become dead letters only once others were committed since: they never block the journal.
 */
export class DurableWriter {
  readonly #options: DurableWriterOptions
  readonly #closing = new AbortController()
  #isUnavailable = false
  #journalFails = false
  #replaying: Promise<void> | null = null
  readonly #deadLetters: DeadLetters
  readonly #losses: LossLog
  readonly #rejected: RejectedBatches
  readonly #writes: DatabaseWrite
  /**
   * Of batches in the journal: whether it was told that they are in the database, which a commit that is late may bring
   * them into.
   */
  readonly #told = new Map<string, boolean>()

  constructor (options: DurableWriterOptions) {
    this.#options = options
    this.#deadLetters = new DeadLetters(options)
    this.#losses = new LossLog(options.log)
    this.#rejected = new RejectedBatches(options)
    this.#writes = new DatabaseWrite(options.database, this.#deadLetters, this.#rejected)
  }

  /** The database did not take the last batch. */
  get isUnavailable (): boolean { return this.#isUnavailable }

  /** The disk did not take the last batch that it was given. */
  get journalFails (): boolean { return this.#journalFails }

  /** Brings what an earlier run left in the journal into the database. */
  start (): void {
    this.#replay()
  }

  /**
   * Resolves once the batch is in the database, or in the journal, or lost; never rejects. One at a time.
   *
   * @param deadlineMs how long the database has, on the clock of `performance.now()`
   */
  async save (batch: RecordBatch, deadlineMs: number): Promise<void> {
    const tried = this.#isUnavailable ? null : await this.#writeInTime(batch, deadlineMs)
    if (tried === 'committed') return
    const { journal, observer } = this.#options
    try {
      await journal.append(batch)
      this.#journalFails = false
      observer.journaled(batch.entries.length)
      if (tried !== null) this.#tellOfLate(batch, tried.late)
    } catch (error) {
      this.#journalFails = true
      // A commit that is late may still come.
      if (tried === null) this.#lose(batch, error)
      else {
        void tried.late.then(
          () => { this.#deadLetters.settle(batch); this.#options.onSettled?.(batch) }, () => this.#lose(batch, error)
        )
      }
    }
    this.#replay()
  }

  /** Ends the replay: what is in the journal stays there for the next start. */
  async close (): Promise<void> {
    this.#closing.abort()
    if (this.#replaying !== null) await within(this.#replaying, CLOSE_WAIT_MS)
  }

  /** Without a commit in time the database counts as unavailable, and the result of the last try is not known yet. */
  async #writeInTime (
    batch: RecordBatch, deadlineMs: number
  ): Promise<'committed' | { readonly late: Promise<number> }> {
    const startedAtMs = performance.now()
    let outOfTime = false
    const committed = this.#writeUntil(batch, () => outOfTime || this.#closing.signal.aborted)
    try {
      const records = await within(committed, deadlineMs - startedAtMs)
      if (records !== false) {
        this.#deadLetters.settle(batch)
        this.#options.onSettled?.(batch)
        this.#options.observer.committed(records, performance.now() - startedAtMs)
        return 'committed'
      }
      this.#becomeUnavailable(new Error(`no commit within ${Math.round(performance.now() - startedAtMs)} ms`))
    } catch (error) {
      if (error instanceof BatchRejected) this.#rejected.add(batch, error)
      this.#becomeUnavailable(error)
    } finally {
      outOfTime = true
    }
    return { late: committed }
  }

  /** Tries until it works, or is over: a connection that was cut is soon replaced by another. */
  async #writeUntil (batch: RecordBatch, isOver: () => boolean): Promise<number> {
    for (let waitMs = RETRY_FIRST_MS; ; waitMs *= 2) {
      try {
        return await this.#writes.write(batch, isOver)
      } catch (error) {
        if (isOver() || error instanceof BatchRejected) throw error
        await pause(waitMs, this.#closing.signal)
        if (isOver()) throw error
      }
    }
  }

  #becomeUnavailable (error: unknown): void {
    if (!this.#isUnavailable && !(error instanceof BatchRejected)) {
      this.#options.log.error({ err: error },
        'the database does not accept records; they go to the journal until it does')
    }
    this.#isUnavailable = true
  }

  #lose (batch: RecordBatch, error: unknown): void {
    this.#rejected.settle(batch)
    this.#options.observer.lost(batch.entries.length)
    this.#losses.add(batch.entries.length, error)
    this.#options.onSettled?.(batch)
  }

  get #isDone (): boolean {
    return this.#closing.signal.aborted || (!this.#isUnavailable && this.#options.journal.isEmpty)
  }

  #replay (): void {
    if (!this.#isDone) this.#replaying ??= this.#drain()
  }

  /** Until the journal is empty and the database is there. */
  async #drain (): Promise<void> {
    let waitMs = RETRY_FIRST_MS
    let lastError = ''
    let failures = 0
    while (!this.#isDone) {
      try {
        await this.#replayOldest()
        waitMs = RETRY_FIRST_MS
        failures = 0
      } catch (error) {
        if (error instanceof SetBack) {
          if (error.isFirst) waitMs = RETRY_FIRST_MS
        } else {
          const message = String(error)
          if (message !== lastError) {
            this.#options.log.warn({ err: error }, 'the database does not accept the records of the journal yet')
          }
          lastError = message
          // After a failover the old connections may be to a server that only reads.
          if (++failures % RECONNECT_EVERY === 0) this.#options.database.reconnect()
        }
        await pause(waitMs, this.#closing.signal)
        waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)
      }
    }
    // In the same turn that found nothing to do: whatever comes from now on starts a new replay.
    this.#replaying = null
  }

  async #replayOldest (): Promise<void> {
    const { journal, observer } = this.#options
    const batch = await this.#oldest()
    if (batch === null) {
      await this.#findBack()
      return
    }
    if (uuidTimeMs(batch.id) < this.#options.now() - this.#options.database.remembersForMs) {
      const reason = new Error('The batch is too old to check whether the database already has it.')
      for (const entry of batch.entries) await this.#deadLetters.add(entry, reason)
      this.#tellOnce(batch)
      await journal.dropOldest()
    } else {
      const records = await this.#replayed(batch)
      this.#comeBack()
      this.#tellOnce(batch)
      await journal.dropOldest()
      observer.replayed(records)
    }
    this.#deadLetters.settle(batch)
    this.#rejected.settle(batch)
    this.#told.delete(batch.id)
  }

  /** @throws SetBack where the others go first */
  async #replayed (batch: RecordBatch): Promise<number> {
    try {
      return await this.#writes.write(batch, () => this.#closing.signal.aborted)
    } catch (error) {
      if (!(error instanceof BatchRejected)) throw error
      this.#options.journal.setOldestBack()
      throw new SetBack(this.#rejected.add(batch, error))
    }
  }

  /** @throws what the disk throws; it alone is no reason to send new batches there */
  async #oldest (): Promise<RecordBatch | null> {
    try {
      return await this.#options.journal.oldest()
    } catch (error) {
      if (this.#isUnavailable) await this.#findBack()
      throw error
    }
  }

  async #findBack (): Promise<void> {
    await this.#writes.ping()
    this.#comeBack()
  }

  #comeBack (): void {
    if (this.#isUnavailable) this.#options.log.info({}, 'the database accepts records again')
    this.#isUnavailable = false
    this.#journalFails = false // The journal is not needed now; the next outage tests the disk again.
  }

  #tellOfLate (batch: RecordBatch, late: Promise<number>): void {
    this.#told.set(batch.id, false)
    // Not where it was replayed by then; where it fails, the replay will tell.
    late.then(() => { if (this.#told.has(batch.id)) this.#tellOnce(batch) }, () => {})
  }

  /**
   * A batch of the journal is in the database, or never will be: by its replay, which may come twice, or by an earlier
   * try.
   */
  #tellOnce (batch: RecordBatch): void {
    if (this.#told.get(batch.id) === true) return
    this.#told.set(batch.id, true)
    this.#options.onSettled?.(batch)
  }
}

/** A batch of the journal was rejected whole, and set back. */
class SetBack extends Error {
  /** For the first time since any other went in: others may go in without a pause that grows. */
  readonly isFirst: boolean

  constructor (isFirst: boolean) {
    super('set back')
    this.isFirst = isFirst
  }
}
