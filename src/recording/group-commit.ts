import { performance } from 'node:perf_hooks'
import type { Log } from '../log.js'
import { isLater } from './batch-totals.js'
import type { BatchEntry, FinishedCall, RecordBatch, StoredPayload } from './call-record.js'
import { uuidV7 } from './uuid-v7.js'

export interface GroupCommitOptions {
  /** Commits a batch, whole; writing one again that was committed is a no-op. */
  readonly write: (batch: RecordBatch) => Promise<void>
  /** Whether an error means that the database will never take this batch, as against not now. */
  readonly isRefusal: (error: unknown) => boolean
  /** Keeps a record aside that the database refuses. If that fails too, the record is lost, and the log says so. */
  readonly setAside: (entry: BatchEntry, error: unknown) => Promise<void>
  /** How long `record` waits for the commit. */
  readonly recordWaitMs: number
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  /** Monotonic milliseconds: a caller's wait must not grow where the wall clock is set back. */
  readonly monotonicMs?: () => number
  readonly log: Log
}

interface Queued {
  readonly call: FinishedCall
  readonly release: () => void
}

interface Waiter {
  readonly deadlineMs: number
  readonly release: () => void
}

/** A commit takes at most so many records, */
const MAX_BATCH_RECORDS = 512
/** and with more than one at most so much of stored prompts and responses: one statement's arrays stay in the low megabytes. */
const MAX_BATCH_PAYLOAD_CHARACTERS = 8 * 1024 * 1024
const RETRY_FIRST_MS = 50
const RETRY_MAX_MS = 2000

/**
 * Records finished calls in groups: those that finish while a commit is on its way make up the next one, so that one
 * fsync serves them all, and a call alone waits for one round trip.
 *
 * ```
 *   record() ─▶ queue ─────take─────▶ committing ──▶ released
 *                 ▲   (one at a time)      │
 *                 └── waits while ─────────┴─ database away: the same batch again, after a pause
 * ```
 *
 * A batch keeps its id and its contents over retries, so a commit whose answer was lost is not counted twice. A caller
 * waits at most `recordWaitMs`; its record stays in line and goes in when the database is back.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #monotonicMs: () => number
  #queue: Queued[] = []
  #inFlight: Queued[] = []
  /** Callers in the order in which they came, so the first is the next to run out of time. Some may be released already. */
  #waiters: Waiter[] = []
  #timer: NodeJS.Timeout | null = null
  #running: Promise<void> | null = null
  #retryMs = RETRY_FIRST_MS
  #failing = false

  constructor (options: GroupCommitOptions) {
    this.#options = options
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now())
  }

  /** The last commit failed and has not succeeded since. */
  get failing (): boolean { return this.#failing }

  /** Records that are not in the database yet. */
  get pending (): number { return this.#inFlight.length + this.#queue.length }

  /** Resolves when the call is in the books, or when it has waited long enough. Never rejects. */
  record (call: FinishedCall): Promise<void> {
    return new Promise(resolve => {
      this.#queue.push({ call, release: resolve })
      this.#waiters.push({ deadlineMs: this.#monotonicMs() + this.#options.recordWaitMs, release: resolve })
      this.#timer ??= setTimeout(() => this.#releaseOverdue(), this.#options.recordWaitMs)
      this.#running ??= this.#run()
    })
  }

  /** Resolves when every record is committed. The timer goes too: nobody waits any more, and it would keep the process. */
  async flush (): Promise<void> {
    while (this.#running !== null) await this.#running
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#waiters = []
  }

  async #run (): Promise<void> {
    // Calls that finish in the same turn of the event loop belong together.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      this.#inFlight = this.#queue.splice(0, MAX_BATCH_RECORDS)
      await this.#commit(this.#inFlight)
      for (const queued of this.#inFlight) queued.release()
      this.#inFlight = []
    }
    // In the same turn that found the queue empty: whoever comes from now on starts a new run.
    this.#running = null
  }

  async #commit (queued: readonly Queued[]): Promise<void> {
    const batch = this.#seal(queued)
    if (queued.length > 1 && payloadCharacters(batch) > MAX_BATCH_PAYLOAD_CHARACTERS) {
      await this.#commitHalves(queued)
      return
    }
    for (;;) {
      try {
        await this.#options.write(batch)
        this.#succeeded()
        return
      } catch (error) {
        if (this.#options.isRefusal(error)) {
          await this.#refused(queued, batch, error)
          return
        }
        await this.#failed(error)
      }
    }
  }

  /** Each half is a batch of its own, with its own newest call of each type. */
  async #commitHalves (queued: readonly Queued[]): Promise<void> {
    const middle = Math.ceil(queued.length / 2)
    await this.#commit(queued.slice(0, middle))
    await this.#commit(queued.slice(middle))
  }

  /** Finds the record that the database refuses by halving; the others go in. */
  async #refused (queued: readonly Queued[], batch: RecordBatch, error: unknown): Promise<void> {
    const [only] = batch.entries
    if (only === undefined || batch.entries.length > 1) {
      await this.#commitHalves(queued)
      return
    }
    this.#succeeded() // The database answers.
    try {
      await this.#options.setAside(only, error)
    } catch (reason) {
      this.#options.log.error({ err: reason, refusal: error, id: only.record.id }, 'a record is lost: the database refuses it, and it cannot be kept aside')
    }
  }

  #succeeded (): void {
    if (this.#failing) this.#options.log.info({ pending: this.pending }, 'the database takes records again')
    this.#failing = false
    this.#retryMs = RETRY_FIRST_MS
  }

  async #failed (error: unknown): Promise<void> {
    if (!this.#failing) this.#options.log.error({ err: error, pending: this.pending }, 'records cannot be committed; trying again until they are')
    this.#failing = true
    await new Promise(resolve => setTimeout(resolve, this.#retryMs))
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS)
  }

  /** One timer serves all: it is set for the first in line. */
  #releaseOverdue (): void {
    const now = this.#monotonicMs()
    const next = this.#waiters.findIndex(waiter => waiter.deadlineMs > now)
    const overdue = this.#waiters.splice(0, next === -1 ? this.#waiters.length : next)
    for (const waiter of overdue) waiter.release()
    const [first] = this.#waiters
    this.#timer = first === undefined ? null : setTimeout(() => this.#releaseOverdue(), first.deadlineMs - now)
  }

  /** Makes the batch: a payload is built only for the newest call of each type, and where full data is stored. */
  #seal (queued: readonly Queued[]): RecordBatch {
    const newest = new Map<string, FinishedCall>()
    for (const { call } of queued) {
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
      this.#options.log.error({ err: error, id: call.record.id }, 'a call is recorded without its prompt and response, which could not be read')
      return null
    }
  }
}

function payloadCharacters (batch: RecordBatch): number {
  let characters = 0
  for (const { payload } of batch.entries) characters += (payload?.prompt?.length ?? 0) + (payload?.response?.length ?? 0)
  return characters
}
