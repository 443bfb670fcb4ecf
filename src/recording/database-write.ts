import type { Refusal } from './batch-writer.js'
import type { RecordBatch } from './call-record.js'
import { type AskRefusal, bisectBatch, refusedAgain } from './bisect-batch.js'
import type { DeadLetters } from './dead-letters.js'
import { type RefusedBatches, RefusedWhole } from './refused-batches.js'
import { within } from '../lib/timeouts.js'

export interface WritableDatabase {
  /** Commits a batch, whole; writing one again that was committed is a no-op. */
  readonly write: (batch: RecordBatch) => Promise<void>
  /** Resolves if the database would take the batch, and rejects as `write` would; nothing is committed. */
  readonly tryOut: (batch: RecordBatch) => Promise<void>
  /** Whether an error means that the database refuses this batch as it is; null: not now. */
  readonly refusalOf: (error: unknown) => Refusal
  /** Resolves if it answers. */
  readonly ping: () => Promise<void>
  /** Lets go of connections on which no answer comes. */
  readonly reconnect: () => void
}

/** A statement that is not answered for so long is given up, with its connection. */
const HANGS_MS = 10_000

/** One try to bring a batch into the database: whole, or without the records that it refuses while it takes others. */
export class DatabaseWrite {
  readonly #database: WritableDatabase
  readonly #deadLetters: DeadLetters
  readonly #refused: RefusedBatches

  constructor (database: WritableDatabase, deadLetters: DeadLetters, refused: RefusedBatches) {
    this.#database = database
    this.#deadLetters = deadLetters
    this.#refused = refused
  }

  /**
   * @returns how many of its records are committed; the others are kept aside
   * @throws RefusedWhole, and what the database throws
   */
  async write (batch: RecordBatch, isOver: () => boolean): Promise<number> {
    try {
      await this.#answered(this.#database.write(batch))
      this.#refused.committed()
      return batch.entries.length
    } catch (error) {
      const refusal = isOver() ? null : this.#database.refusalOf(error)
      if (refusal === null) throw error
      // One that was refused before is not searched again until there is something new to know.
      const isKnown = this.#refused.has(batch) && !this.#refused.othersWentInSince(batch)
      if (refusal === 'statement' || isKnown) throw new RefusedWhole(error)
      return await this.#writeWithoutRefused(batch, error, isOver)
    }
  }

  /** @throws where there is no answer for long; its connection is let go of */
  async ping (): Promise<void> {
    await this.#answered(this.#database.ping())
  }

  /**
   * Finds the records that the database refuses, keeps them aside, and commits the others under the batch's own id: so
   * it stays one commit, which is there or not, however often this is begun again. Of two that do it (a try that is out
   * of time, and the replay) only the later keeps records aside.
   *
   * @throws RefusedWhole where that is all of them, and no others went in since they were refused before
   */
  async #writeWithoutRefused (batch: RecordBatch, error: unknown, isOver: () => boolean): Promise<number> {
    const ask: AskRefusal = async part => {
      if (isOver()) throw error
      try {
        await this.#answered(this.#database.tryOut(part))
        return null
      } catch (reason) {
        const refusal = this.#database.refusalOf(reason)
        if (refusal === 'record') return { reason }
        throw refusal === 'statement' ? new RefusedWhole(reason) : reason
      }
    }
    let refused = await bisectBatch(batch, error, ask)
    // The database may have come to itself in the middle of the search: those count that are refused after others
    // were taken.
    if (refused.size < batch.entries.length) refused = await refusedAgain(batch.id, refused, ask)
    else if (!this.#refused.othersWentInSince(batch)) throw new RefusedWhole(error)
    if (isOver()) throw error
    for (const [entry, reason] of refused) await this.#deadLetters.add(entry, reason)
    const entries = batch.entries.filter(entry => !refused.has(entry))
    return entries.length > 0 ? await this.write({ id: batch.id, entries }, isOver) : 0
  }

  async #answered (answer: Promise<void>): Promise<void> {
    const isAnswered = await within(answer.then(() => true), HANGS_MS, false)
    if (isAnswered) return
    this.#database.reconnect()
    throw new Error(`the database has not answered for ${HANGS_MS} ms`)
  }
}
