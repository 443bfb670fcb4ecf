import { performance } from 'node:perf_hooks'
import type { Log } from '../log.js'
import type { BatchEntry, RecordBatch } from './call-record.js'
import type { Journal } from './journal.js'
import type { RecorderObserver } from './recorder-observer.js'
import { uuidTimeMs } from './uuid-v7.js'

export interface DurableWriterOptions {
  readonly database: {
    /** Commits a batch, whole; writing one again that was committed is a no-op. */
    readonly write: (batch: RecordBatch) => Promise<void>
    /** Resolves if the database would take the batch, and rejects as `write` would; nothing is committed. */
    readonly tryOut: (batch: RecordBatch) => Promise<void>
    /** Whether an error means that the database will never take this batch, as against not now. */
    readonly isRefusal: (error: unknown) => boolean
    /** Resolves if it answers. */
    readonly ping: () => Promise<void>
    /** Lets go of connections on which no answer comes. */
    readonly reconnect: () => void
    /** For so long it knows which batches were committed. */
    readonly remembersForMs: number
  }
  readonly journal: Pick<Journal, 'append' | 'oldest' | 'dropOldest' | 'isEmpty'>
  /** Keeps a record aside that the database refuses. */
  readonly setAside: (entry: BatchEntry, error: unknown) => Promise<void>
  readonly observer: RecorderObserver
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Log
}

const RETRY_FIRST_MS = 50
const RETRY_MAX_MS = 2000
/** A statement that is not answered for so long is given up, with its connection. */
const HANGS_MS = 10_000
const LOSS_LOGGED_EVERY_MS = 60_000
/** What a shutdown waits for a commit under way; the journal has the batch. */
const CLOSE_WAIT_MS = 1000

/**
 * Puts batches where they last: into the database, or into the journal until the database takes them.
 *
 * ```
 *             ┌──────────── direct ────────────┐        not committed in time        ┌─────────── away ───────────┐
 *  save() ──▶ │ database, retried until `dead- │ ──────────────────────────────────▶ │ journal; none: lost        │ ◀── save()
 *             │ line`                          │ ◀────────────────────────────────── │ replay: the oldest, again  │
 *             └────────────────────────────────┘    the first batch is replayed,     │ and again, with pauses     │
 *                                                   or a ping is answered            └────────────────────────────┘
 * ```
 *
 * A batch in the journal stays there until a replay of it is committed, whatever became of earlier tries: its id makes
 * the second commit a no-op. While what is left of the journal is replayed, in its order, new batches go into the
 * database beside it: waiting for the journal to be empty could last for ever under load. The books are the same, for
 * counters add up in any order and the latest call is found by its time.
 */
export class DurableWriter {
  readonly #options: DurableWriterOptions
  readonly #closing = new AbortController()
  #away = false
  #journalFails = false
  #replaying: Promise<void> | null = null
  #lossLoggedAtMs = -Infinity
  #lostSinceLogged = 0

  constructor (options: DurableWriterOptions) {
    this.#options = options
  }

  /** The database did not take the last batch. */
  get away (): boolean { return this.#away }

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
    if (!this.#away && await this.#writeInTime(batch, deadlineMs)) return
    const { journal, observer } = this.#options
    try {
      await journal.append(batch)
      this.#journalFails = false
      observer.journaled(batch.entries.length)
    } catch (error) {
      this.#journalFails = true
      this.#lose(batch, error)
    }
    this.#replay()
  }

  /** Ends the replay: what is in the journal stays there for the next start. */
  async close (): Promise<void> {
    this.#closing.abort()
    if (this.#replaying !== null) await settledWithin(this.#replaying, CLOSE_WAIT_MS)
  }

  /** @returns whether it is committed; if not, the database is away, and what became of the last try is not known */
  async #writeInTime (batch: RecordBatch, deadlineMs: number): Promise<boolean> {
    const startedAtMs = performance.now()
    let outOfTime = false
    const committed = this.#writeUntil(batch, () => outOfTime).then(() => true)
    const timedOut = timer(deadlineMs - startedAtMs)
    try {
      if (await Promise.race([committed, timedOut.promise])) {
        this.#options.observer.committed(batch.entries.length, performance.now() - startedAtMs)
        return true
      }
      this.#goAway(new Error(`no commit within ${Math.round(performance.now() - startedAtMs)} ms`))
    } catch (error) {
      this.#goAway(error)
    } finally {
      outOfTime = true
      timedOut.cancel()
    }
    return false
  }

  /** Tries until it works, or time is out: a connection that was cut is soon replaced by another. */
  async #writeUntil (batch: RecordBatch, isOver: () => boolean): Promise<void> {
    for (let waitMs = RETRY_FIRST_MS; ; waitMs *= 2) {
      try {
        await this.#write(batch)
        return
      } catch (error) {
        if (isOver()) throw error
        await pause(waitMs, this.#closing.signal)
        if (isOver()) throw error
      }
    }
  }

  async #write (batch: RecordBatch): Promise<void> {
    const { database } = this.#options
    try {
      await database.write(batch)
    } catch (error) {
      if (!database.isRefusal(error)) throw error
      await this.#writeWithoutRefused(batch, error)
    }
  }

  /**
   * Finds the records that the database refuses, keeps them aside, and commits the others under the batch's own id: so
   * it stays one commit, which is there or not, however often this is begun again.
   */
  async #writeWithoutRefused (batch: RecordBatch, error: unknown): Promise<void> {
    const refused = await this.#findRefused(batch, error)
    for (const [entry, reason] of refused) await this.#keepAside(entry, reason)
    const entries = batch.entries.filter(entry => !refused.has(entry))
    if (entries.length > 0) await this.#write({ id: batch.id, entries })
  }

  async #findRefused (batch: RecordBatch, error: unknown): Promise<Map<BatchEntry, unknown>> {
    const [only, ...others] = batch.entries
    if (only === undefined) return new Map()
    if (others.length === 0) return new Map([[only, error]])
    const middle = Math.ceil(batch.entries.length / 2)
    const refused = new Map<BatchEntry, unknown>()
    const halves = [batch.entries.slice(0, middle), batch.entries.slice(middle)]
    for (const entries of halves) {
      const half = { id: batch.id, entries }
      try {
        await this.#options.database.tryOut(half)
      } catch (reason) {
        if (!this.#options.database.isRefusal(reason)) throw reason
        for (const [entry, why] of await this.#findRefused(half, reason)) refused.set(entry, why)
      }
    }
    // Each half would do, only not both: there is no telling which record is at fault.
    if (refused.size === 0) for (const entry of batch.entries) refused.set(entry, error)
    return refused
  }

  async #keepAside (entry: BatchEntry, error: unknown): Promise<void> {
    const { setAside, observer, log } = this.#options
    try {
      await setAside(entry, error)
      observer.rejected(1)
      log.error({ err: error, id: entry.record.id }, 'the database refuses a record; it is kept in rejected.jsonl')
    } catch (reason) {
      observer.lost(1)
      log.error({ err: reason, refusal: error, id: entry.record.id }, 'a record is lost: the database refuses it, and it cannot be kept aside')
    }
  }

  #goAway (error: unknown): void {
    if (!this.#away) this.#options.log.error({ err: error }, 'the database does not take records; they go to the journal until it does')
    this.#away = true
  }

  /** Once a minute is enough for whoever reads the log. */
  #lose (batch: RecordBatch, error: unknown): void {
    const { observer, log } = this.#options
    observer.lost(batch.entries.length)
    this.#lostSinceLogged += batch.entries.length
    const nowMs = performance.now()
    if (nowMs - this.#lossLoggedAtMs < LOSS_LOGGED_EVERY_MS) return
    log.error({ err: error, records: this.#lostSinceLogged }, 'records are lost: neither the database nor the journal takes them; calls go on. Free or mend the disk under DATA_DIR')
    this.#lossLoggedAtMs = nowMs
    this.#lostSinceLogged = 0
  }

  get #isDone (): boolean {
    return this.#closing.signal.aborted || (!this.#away && this.#options.journal.isEmpty)
  }

  #replay (): void {
    if (!this.#isDone) this.#replaying ??= this.#drain()
  }

  /** Until the journal is empty and the database is there. */
  async #drain (): Promise<void> {
    const { log } = this.#options
    let waitMs = RETRY_FIRST_MS
    let lastError = ''
    while (!this.#isDone) {
      try {
        await this.#replayOldest()
        waitMs = RETRY_FIRST_MS
        if (this.#away) log.info({}, 'the database takes records again')
        this.#away = false
      } catch (error) {
        const message = String(error)
        if (message !== lastError) log.warn({ err: error }, 'the database does not take what is in the journal yet')
        lastError = message
        await pause(waitMs, this.#closing.signal)
        waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)
      }
    }
    // In the same turn that found nothing to do: whatever comes from now on starts a new replay.
    this.#replaying = null
  }

  async #replayOldest (): Promise<void> {
    const { journal, database, observer } = this.#options
    const batch = await journal.oldest()
    if (batch === null) {
      await this.#answered(database.ping())
      return
    }
    if (uuidTimeMs(batch.id) < this.#options.now() - database.remembersForMs) {
      const reason = new Error('The batch is too old to be told from one that is in the database already.')
      for (const entry of batch.entries) await this.#keepAside(entry, reason)
    } else {
      await this.#answered(this.#write(batch))
      observer.replayed(batch.entries.length)
    }
    await journal.dropOldest()
  }

  /** @throws where there is no answer for long; its connection is let go of */
  async #answered (answer: Promise<void>): Promise<void> {
    const hangs = timer(HANGS_MS)
    try {
      const inTime = await Promise.race([answer.then(() => true), hangs.promise])
      if (inTime) return
      this.#options.database.reconnect()
      throw new Error(`the database has not answered for ${HANGS_MS} ms`)
    } finally {
      hangs.cancel()
    }
  }
}

/** Resolves with false after that time. */
function timer (ms: number): { promise: Promise<false>, cancel: () => void } {
  let timeout: NodeJS.Timeout | undefined
  const promise = new Promise<false>(resolve => { timeout = setTimeout(() => resolve(false), Math.max(0, ms)) })
  return { promise, cancel: () => clearTimeout(timeout) }
}

/** Resolves after that time, or when the signal comes. */
async function pause (ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => {
    const done = (): void => {
      clearTimeout(timeout)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timeout = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

async function settledWithin (promise: Promise<void>, ms: number): Promise<void> {
  const late = timer(ms)
  await Promise.race([promise, late.promise])
  late.cancel()
}
