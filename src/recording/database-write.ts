import type { Rejection } from './batch-writer.js'
import type { RecordBatch } from './call-record.js'
import { type AskRejection, bisectBatch, rejectedAgain } from './bisect-batch.js'
import type { DeadLetters } from './dead-letters.js'
import { type RejectedBatches, BatchRejected } from './rejected-batches.js'
import { within } from '../lib/timeouts.js'

export interface WritableDatabase {
  /** Commits a batch, whole; writing one again that was committed is a no-op. */
  readonly write: (batch: RecordBatch) => Promise<void>
  /** Resolves if the database would take the batch, and rejects as `write` would; nothing is committed. */
  readonly tryOut: (batch: RecordBatch) => Promise<void>
  /** Whether an error means that the database rejects this batch as it is; null: a later try may succeed. */
  readonly rejectionOf: (error: unknown) => Rejection
  /** Resolves if it answers. */
  readonly ping: () => Promise<void>
  /** Lets go of connections on which no answer comes. */
  readonly reconnect: () => void
}

/** After this time without an answer a statement is given up, with its connection. */
const HANGS_MS = 10_000

/** One try to commit a batch: whole, or without the records that the database rejects while it accepts others. */
export class DatabaseWrite {
  readonly #database: WritableDatabase
  readonly #deadLetters: DeadLetters
  readonly #rejected: RejectedBatches

  constructor (database: WritableDatabase, deadLetters: DeadLetters, rejected: RejectedBatches) {
    this.#database = database
    this.#deadLetters = deadLetters
    this.#rejected = rejected
  }

  /**
   * @returns how many of its records are committed; the others are dead letters
   * @throws BatchRejected, and what the database throws
   */
  async write (batch: RecordBatch, isOver: () => boolean): Promise<number> {
    try {
      await this.#answered(this.#database.write(batch))
      this.#rejected.committed()
      return batch.entries.length
    } catch (error) {
      const rejection = isOver() ? null : this.#database.rejectionOf(error)
      if (rejection === null) throw error
      // One that was rejected before is not searched again until others were committed.
      const isKnown = this.#rejected.has(batch) && !this.#rejected.othersCommittedSince(batch)
      if (rejection === 'statement' || isKnown) throw new BatchRejected(error)
      return await this.#writeWithoutRejected(batch, error, isOver)
    }
  }

  /** @throws where there is no answer for long; its connection is let go of */
  async ping (): Promise<void> {
    await this.#answered(this.#database.ping())
  }

  /**
   * Finds the records that the database rejects, makes them dead letters, and commits the others under the batch's id:
   * so it stays one commit, which is there or not, however often this is begun again. Of two that do it (a try that is
   * out of time, and the replay) only the later writes dead letters.
   *
   * @throws BatchRejected where that is all of them, and no others were committed since they were rejected before
   */
  async #writeWithoutRejected (batch: RecordBatch, error: unknown, isOver: () => boolean): Promise<number> {
    const ask: AskRejection = async part => {
      if (isOver()) throw error
      try {
        await this.#answered(this.#database.tryOut(part))
        return null
      } catch (reason) {
        const rejection = this.#database.rejectionOf(reason)
        if (rejection === 'record') return { reason }
        throw rejection === 'statement' ? new BatchRejected(reason) : reason
      }
    }
    let rejected = await bisectBatch(batch, error, ask)
    // The database may have recovered in the middle of the search: those count that are rejected after others
    // were taken.
    if (rejected.size < batch.entries.length) rejected = await rejectedAgain(batch.id, rejected, ask)
    else if (!this.#rejected.othersCommittedSince(batch)) throw new BatchRejected(error)
    if (isOver()) throw error
    for (const [entry, reason] of rejected) await this.#deadLetters.add(entry, reason)
    const entries = batch.entries.filter(entry => !rejected.has(entry))
    return entries.length > 0 ? await this.write({ id: batch.id, entries }, isOver) : 0
  }

  async #answered (answer: Promise<void>): Promise<void> {
    const isAnswered = await within(answer.then(() => true), HANGS_MS, false)
    if (isAnswered) return
    this.#database.reconnect()
    throw new Error(`the database has not answered for ${HANGS_MS} ms`)
  }
}
