import type { Log } from '../log.js'
import type { BatchEntry, RecordBatch } from './call-record.js'
import type { RecorderObserver } from './recorder-observer.js'

export interface KeptAsideOptions {
  /** Keeps a record aside that the database refuses. */
  readonly setAside: (entry: BatchEntry, error: unknown) => Promise<void>
  readonly observer: Pick<RecorderObserver, 'rejected' | 'lost'>
  readonly log: Log
}

/** Records kept aside, until what becomes of their batch is settled: a second try does not keep them again. */
export class KeptAside {
  readonly #options: KeptAsideOptions
  readonly #ids = new Set<string>()

  constructor (options: KeptAsideOptions) {
    this.#options = options
  }

  /** Never rejects: a record that cannot be kept aside is lost. */
  async keep (entry: BatchEntry, error: unknown): Promise<void> {
    const { setAside, observer, log } = this.#options
    const { id } = entry.record
    if (this.#ids.has(id)) return
    this.#ids.add(id)
    try {
      await setAside(entry, error)
      observer.rejected(1)
      log.error({ err: error, id }, 'the database refuses a record; it is kept in rejected.jsonl')
    } catch (reason) {
      observer.lost(1)
      log.error({ err: reason, refusal: error, id }, 'a record is lost: the database refuses it, and it cannot be kept aside')
    }
  }

  /** The batch will not be tried again. */
  settle ({ entries }: RecordBatch): void {
    if (this.#ids.size > 0) for (const { record } of entries) this.#ids.delete(record.id)
  }
}
