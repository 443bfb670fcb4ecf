import { performance } from 'node:perf_hooks'
import type { Log } from '../log.js'
import { payloadCharacters } from './batch-json.js'
import { canBeLast, isLater } from './batch-totals.js'
import type { BatchEntry, FinishedCall, RecordBatch, StoredPayload } from './call-record.js'
import { uuidV7 } from './uuid-v7.js'

export interface GroupCommitOptions {
  /** Puts a batch where it lasts: resolves once its callers can be let go, and never rejects. */
  readonly save: (batch: RecordBatch, deadlineMs: number) => Promise<void>
  /** How long a record may wait for its commit. */
  readonly recordWaitMs: number
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Log
}

interface Queued {
  readonly call: FinishedCall
  /** On the clock of `performance.now()`. */
  readonly sinceMs: number
  readonly release: () => void
}

/** A commit takes at most so many records, */
const MAX_BATCH_RECORDS = 512
/** and with more than one at most so much of stored prompts and responses: one statement stays in the low megabytes. */
const MAX_BATCH_PAYLOAD_CHARACTERS = 8 * 1024 * 1024
/** How long a batch waits for calls in flight to join it. */
const GATHER_MS = 3
/** So few are not worth a wait. */
const FEW_CALLS = 3
/** Calls finish often where FEW_CALLS of them did within this time: then others will while a batch waits. */
const OFTEN_MS = 4 * GATHER_MS

/**
 * Records finished calls in groups: those that finish while a commit is on its way make up the next one, so that one
 * fsync serves them all, and a call alone waits for one round trip.
 *
 * ```
 *   expect() ─▶ in flight ─record()─▶ queue ─take─▶ saving ─▶ released
 *                                       ▲  (one at a time)
 *                                       └── waits while a batch is being saved, and GATHER_MS more
 *                                           while calls finish often and more than a third are in flight
 * ```
 *
 * A commit costs about the same for one record as for ten. So under load a batch waits a moment until two thirds of the
 * open calls have joined it. Where calls finish rarely there is no wait, however many are open: long streams, and
 * answers that take seconds, end one by one.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  #queue: Queued[] = []
  #saving: Queued[] = []
  /** Calls that were let in and are not finished yet. */
  #inFlight = 0
  /** When the latest calls finished, on the clock of `performance.now()`; the oldest is at `#oldest`. */
  readonly #finishedMs = new Float64Array(FEW_CALLS).fill(-Infinity)
  #oldest = 0
  /** FEW_CALLS others finished within OFTEN_MS before the latest one. */
  #isOften = false
  #running: Promise<void> | null = null
  /** Ends the wait for more calls. */
  #gathered: (() => void) | null = null
  /** Ends the waits of `flush` for a call in flight. */
  readonly #onRecord: (() => void)[] = []

  constructor (options: GroupCommitOptions) {
    this.#options = options
  }

  /** Records that are neither in the database nor in the journal yet. */
  get pending (): number { return this.#saving.length + this.#queue.length }

  /** A call was let in: `record` will follow. */
  expect (): void {
    this.#inFlight++
  }

  /** Resolves when the call's record is safe, or cannot be made so. Never rejects. */
  record (call: FinishedCall): Promise<void> {
    return new Promise(resolve => {
      const nowMs = performance.now()
      this.#inFlight--
      this.#noteFinish(nowMs)
      this.#queue.push({ call, sinceMs: nowMs, release: resolve })
      if (this.#gathered !== null && this.#isFull) this.#gathered()
      this.#running ??= this.#run()
      for (const go of this.#onRecord.splice(0)) go()
    })
  }

  /** Resolves when no call is in flight or in line any more. */
  async flush (): Promise<void> {
    while (this.#running !== null || this.#inFlight > 0) {
      await (this.#running ?? new Promise<void>(resolve => { this.#onRecord.push(resolve) }))
    }
  }

  /** At least two thirds of the open calls are in line, or hardly any other is about to join them. */
  get #isFull (): boolean {
    return !this.#isOften || this.#inFlight <= FEW_CALLS ||
      this.#queue.length >= Math.min(2 * this.#inFlight, MAX_BATCH_RECORDS)
  }

  #noteFinish (nowMs: number): void {
    this.#isOften = nowMs - (this.#finishedMs[this.#oldest] ?? 0) <= OFTEN_MS
    this.#finishedMs[this.#oldest] = nowMs
    this.#oldest = (this.#oldest + 1) % FEW_CALLS
  }

  async #run (): Promise<void> {
    // Calls that finish in the same turn of the event loop belong together.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      if (!this.#isFull) await this.#gather()
      this.#saving = this.#queue.splice(0, MAX_BATCH_RECORDS)
      for (const part of this.#parts(this.#saving)) await this.#save(part)
      this.#saving = []
    }
    // In the same turn that found the queue empty: a call that finishes from now on starts a new run.
    this.#running = null
  }

  async #gather (): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, GATHER_MS)
      this.#gathered = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#gathered = null
  }

  async #save ({ batch, queued }: Part): Promise<void> {
    const sinceMs = queued[0]?.sinceMs ?? performance.now()
    await this.#options.save(batch, sinceMs + this.#options.recordWaitMs)
    for (const { release } of queued) release()
  }

  /** One batch, or as many as hold its prompts and responses. */
  * #parts (queued: readonly Queued[]): Generator<Part> {
    const batch = this.#seal(queued)
    if (queued.length === 1 || payloadCharacters(batch) <= MAX_BATCH_PAYLOAD_CHARACTERS) {
      yield { batch, queued }
      return
    }
    const middle = Math.ceil(queued.length / 2)
    yield * this.#parts(queued.slice(0, middle))
    yield * this.#parts(queued.slice(middle))
  }

  /** Makes the batch: a payload is built only for the newest call of each type, and where full data is stored. */
  #seal (queued: readonly Queued[]): RecordBatch {
    const newest = new Map<string, FinishedCall>()
    for (const { call } of queued) {
      if (!canBeLast(call.record)) continue
      const known = newest.get(call.record.promptType)
      if (known === undefined || !isLater(known.record, call.record)) newest.set(call.record.promptType, call)
    }
    const entries = queued.map(({ call }): BatchEntry => {
      const { record } = call
      const kept = newest.get(record.promptType) === call || (record.storeFullData && record.logged)
      return { record, payload: kept ? this.#payload(call) : null }
    })
    return { id: uuidV7(this.#options.now()), entries }
  }

  #payload (call: FinishedCall): StoredPayload | null {
    try {
      return call.buildPayload()
    } catch (error) {
      this.#options.log.error(
        { err: error, id: call.record.id },
        'a call is recorded without its prompt and response, which could not be read'
      )
      return null
    }
  }
}

interface Part {
  readonly batch: RecordBatch
  readonly queued: readonly Queued[]
}
