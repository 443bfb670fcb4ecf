import { join } from 'node:path'
import type { Database } from '../db/database.js'
import type { SpentBudget } from '../db/policy-store.js'
import type { Log } from '../log.js'
import { RECORDED_BATCHES_KEPT_MS } from '../db/recorded-batches-horizon.js'
import { createBatchWriter, rejectionOf } from './batch-writer.js'
import type { BatchEntry, FinishedCall } from './call-record.js'
import { DurableWriter } from './durable-writer.js'
import { GroupCommit } from './group-commit.js'
import { Journal } from './journal.js'
import type { RecorderObserver } from './recorder-observer.js'
import { appendDeadLetter } from './dead-letters.js'

export interface RecorderOptions {
  readonly database: Pick<Database, 'recording' | 'ping' | 'reconnect'>
  /** The journal and the rejected records lie in it. */
  readonly dataDir: string
  /** How long a record may wait for its commit before it goes to the journal. */
  readonly recordWaitMs: number
  readonly observer: RecorderObserver
  /** What is spent of budgets, as soon as it is known of a batch that was committed. */
  readonly onSpent?: ((spent: readonly SpentBudget[]) => void) | undefined
  /**
   * Right after that, and before any call is let go: nothing more becomes of these records. Once each, also those of an
   * earlier run.
   */
  readonly onSettled?: (records: readonly BatchEntry[]) => void
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Log
}

/** The durable write path: group commit, the database, and the journal beside it. */
export class Recorder {
  readonly #groups: GroupCommit
  readonly #writer: DurableWriter
  readonly #journal: Journal

  private constructor (options: RecorderOptions, journal: Journal) {
    const { database, dataDir, observer, onSpent, onSettled, now, log } = options
    const batches = createBatchWriter(database, { onSpent })
    this.#journal = journal
    this.#writer = new DurableWriter({
      database: {
        write: batch => batches.write(batch),
        tryOut: batch => batches.tryOut(batch),
        rejectionOf,
        ping: () => database.ping(),
        reconnect: () => database.reconnect(),
        remembersForMs: RECORDED_BATCHES_KEPT_MS
      },
      journal,
      appendDeadLetter: (entry, error) => appendDeadLetter(dataDir, entry, error),
      observer,
      onSettled: ({ entries }) => onSettled?.(entries),
      now,
      log
    })
    this.#groups = new GroupCommit({
      save: (batch, deadlineMs) => this.#writer.save(batch, deadlineMs),
      recordWaitMs: options.recordWaitMs,
      now,
      log
    })
  }

  /** Opens the journal, and begins to bring what it holds into the database. @throws what the file system throws */
  static async open (options: RecorderOptions): Promise<Recorder> {
    const recorder = new Recorder(options, await Journal.open(join(options.dataDir, 'journal'), options.log, {
      onDamage: (records, sizeBytes) => {
        options.observer.lost(records)
        options.observer.damaged(sizeBytes)
      }
    }))
    recorder.#writer.start()
    return recorder
  }

  /** Records that are not in the database yet. */
  get pending (): number { return this.#groups.pending + this.#journal.records }

  /** The database did not take the last batch. */
  get isUnavailable (): boolean { return this.#writer.isUnavailable }

  get journalState (): 'ok' | 'in_use' | 'failing' {
    if (this.#writer.journalFails) return 'failing'
    return this.#journal.isEmpty ? 'ok' : 'in_use'
  }

  /** What waits in the journal. */
  get journal (): { readonly sizeBytes: number, readonly oldestAtMs: number | null } { return this.#journal }

  /** A call was let in: `record` will follow. */
  expect (): void { this.#groups.expect() }

  /** Resolves when the call's record is in the database or in the journal, or neither takes it. Never rejects. */
  record (call: FinishedCall): Promise<void> { return this.#groups.record(call) }

  /** Makes what is in line safe, and ends. */
  async close (): Promise<void> {
    await this.#groups.flush()
    await this.#writer.close()
    await this.#journal.close()
  }
}
