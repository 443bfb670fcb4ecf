import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../log.js'
import { redactKeys } from '../redaction/redact.js'
import { entryToJson } from './batch-json.js'
import type { BatchEntry, RecordBatch } from './call-record.js'
import type { RecorderObserver } from './recorder-observer.js'

export interface DeadLettersOptions {
  /** Persists a record that the database rejects; see `appendDeadLetter`. */
  readonly appendDeadLetter: (entry: BatchEntry, error: unknown) => Promise<void>
  readonly observer: Pick<RecorderObserver, 'rejected' | 'lost'>
  readonly log: Log
}

/** Records that the database rejects for themselves. Each is persisted once, however often its batch is tried. */
export class DeadLetters {
  readonly #options: DeadLettersOptions
  /** Until what becomes of their batch is settled. */
  readonly #ids = new Set<string>()

  constructor (options: DeadLettersOptions) {
    this.#options = options
  }

  /** Never rejects: a record that cannot be persisted is lost. */
  async add (entry: BatchEntry, error: unknown): Promise<void> {
    const { appendDeadLetter, observer, log } = this.#options
    const { id } = entry.record
    if (this.#ids.has(id)) return
    this.#ids.add(id)
    try {
      await appendDeadLetter(entry, error)
      observer.rejected(1)
      log.error({ err: error, id }, 'the database rejects a record; it is a dead letter in rejected.jsonl')
    } catch (reason) {
      observer.lost(1)
      log.error(
        { err: reason, rejection: error, id },
        'a record is lost: the database rejects it, and rejected.jsonl cannot be written'
      )
    }
  }

  /** The batch will not be tried again. */
  settle ({ entries }: RecordBatch): void {
    if (this.#ids.size > 0) for (const { record } of entries) this.#ids.delete(record.id)
  }
}

/** Appends a record that the database rejects, with its error, as a line of JSON to `dataDir/rejected.jsonl`. */
export async function appendDeadLetter (dataDir: string, entry: BatchEntry, error: unknown): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const reason = JSON.stringify(redactKeys(String(error instanceof Error ? error.cause ?? error : error)))
  const line = `{"error":${reason},${entryToJson(entry).slice(1)}\n`
  await appendFile(join(dataDir, 'rejected.jsonl'), line, { mode: 0o600, flush: true })
}
