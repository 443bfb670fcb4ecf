import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../log.js'
import { batchToJson, parseBatch } from './batch-json.js'
import type { RecordBatch } from './call-record.js'
import { UnreadableFrame, encodeFrame, readFrame, readFrameHeader } from './journal-frame.js'
import { uuidTimeMs } from './uuid-v7.js'

/** A journal file: see journal-frame.ts for what is in it. */
interface Segment {
  readonly path: string
  /** Open for as long as it is written to or read from. */
  file: FileHandle | null
  /** Up to here its frames are synced; what a failed write left behind that does not count. */
  sizeBytes: number
  /** Up to here its frames are done with. */
  doneBytes: number
  /** Records in the frames that are not done with. */
  records: number
  /** A frame of it cannot be read: the file is kept, out of the way, for people to look at. */
  damaged: boolean
}

/** A damaged file keeps its number, so that no other comes to have its name. */
const SEGMENT_NAME = /^(\d{8})\.journal(\.damaged)?$/
/** A file is given up when all of it is in the database, so files are not too large. */
const MAX_SEGMENT_BYTES = 64 * 1024 * 1024

/**
 * Batches on disk that wait for the database, in the order in which they came. `append` adds one at the end and is
 * synced when it resolves; `oldest` and `dropOldest` take them from the front. What is done with is known in memory
 * only: a later process reads a file again from its beginning, which is harmless, as a batch that was committed is not
 * committed again.
 *
 * ```
 *   00000003.journal         00000004.journal        00000005.journal
 *   ├─ done ─┼─ to do ─┤     ├───── to do ─────┤     ├─ to do ─┤◀─ append
 *            ▲ oldest
 * ```
 */
export class Journal {
  readonly #folder: string
  readonly #log: Log
  /** The oldest first. Only the last can be the one that is written to. */
  readonly #segments: Segment[] = []
  /** The segment that is written to, if there is one. */
  #current: Segment | null = null
  #appending = false
  #lastNumber = 0
  #oldestAtMs: number | null = null

  private constructor (folder: string, log: Log) {
    this.#folder = folder
    this.#log = log
  }

  /** Opens the journal in the folder, which is made if need be. @throws what the file system throws */
  static async open (folder: string, log: Log): Promise<Journal> {
    const journal = new Journal(folder, log)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const name of (await readdir(folder)).sort()) {
      const [, number, damaged] = SEGMENT_NAME.exec(name) ?? []
      if (number === undefined) continue
      journal.#lastNumber = Number(number)
      if (damaged === undefined) journal.#segments.push(await journal.#scan(join(folder, name)))
    }
    if (journal.records > 0) log.warn({ records: journal.records, bytes: journal.sizeBytes }, 'the journal holds records of an earlier run; they go into the database now')
    return journal
  }

  get isEmpty (): boolean { return this.#segments.every(({ doneBytes, sizeBytes }) => doneBytes === sizeBytes) }

  /** Records that wait here. */
  get records (): number { return this.#segments.reduce((sum, { records }) => sum + records, 0) }

  /** Bytes that wait here. */
  get sizeBytes (): number { return this.#segments.reduce((sum, { sizeBytes, doneBytes }) => sum + sizeBytes - doneBytes, 0) }

  /** When the oldest batch was made, milliseconds since the epoch; null if none waits. */
  get oldestAtMs (): number | null { return this.isEmpty ? null : this.#oldestAtMs }

  /**
   * Adds the batch, and has it synced. One at a time.
   *
   * @throws what the file system throws; the batch is not in the journal then
   */
  async append (batch: RecordBatch): Promise<void> {
    const frame = encodeFrame(batchToJson(batch), batch.entries.length)
    this.#appending = true
    let segment: Segment
    try {
      segment = this.#current ?? await this.#create()
      if (segment.file === null) throw new Error('the journal is closed')
      await writeWhole(segment.file, frame, segment.sizeBytes)
      await segment.file.datasync()
    } catch (error) {
      // Nothing is known of a file after a failed write or sync: the next batch gets a new one.
      const given = this.#current
      this.#current = null
      if (given !== null) await this.#removeIfDone(given)
      throw error
    } finally {
      this.#appending = false
    }
    if (this.isEmpty) this.#oldestAtMs = uuidTimeMs(batch.id)
    segment.sizeBytes += frame.length
    segment.records += batch.entries.length
    if (segment.sizeBytes >= MAX_SEGMENT_BYTES) this.#current = null
  }

  /** The batch that has waited longest; null if none does. An entry that cannot be read is reported and passed over. */
  async oldest (): Promise<RecordBatch | null> {
    for (;;) {
      const segment = this.#segments.find(({ doneBytes, sizeBytes }) => doneBytes < sizeBytes)
      if (segment === undefined) return null
      try {
        segment.file ??= await open(segment.path, 'r')
        const batch = parseBatch(await readFrame(segment.file, segment.doneBytes, segment.sizeBytes))
        this.#oldestAtMs = uuidTimeMs(batch.id)
        return batch
      } catch (error) {
        if (!(error instanceof UnreadableFrame)) throw error
        await this.#passOver(segment, error)
      }
    }
  }

  /** The batch that `oldest` gave is in the database. */
  async dropOldest (): Promise<void> {
    const segment = this.#segments.find(({ doneBytes, sizeBytes }) => doneBytes < sizeBytes)
    if (segment === undefined || segment.file === null) return
    const { records, sizeBytes } = await readFrameHeader(segment.file, segment.doneBytes, segment.sizeBytes)
    segment.doneBytes += sizeBytes
    segment.records -= records
    await this.#removeIfDone(segment)
  }

  async close (): Promise<void> {
    this.#current = null
    for (const segment of this.#segments) {
      await segment.file?.close()
      segment.file = null
    }
  }

  /** Measures a file of an earlier process. What cannot be read of it is found, and told, when its turn comes. */
  async #scan (path: string): Promise<Segment> {
    const file = await open(path, 'r')
    const { size, mtimeMs } = await file.stat()
    const segment: Segment = { path, file, sizeBytes: size, doneBytes: 0, records: 0, damaged: false }
    this.#oldestAtMs ??= mtimeMs
    try {
      for (let offset = 0; offset < size;) {
        const { records, sizeBytes } = await readFrameHeader(file, offset, size)
        segment.records += records
        offset += sizeBytes
      }
    } catch (error) {
      if (!(error instanceof UnreadableFrame)) throw error
    }
    return segment
  }

  async #create (): Promise<Segment> {
    const path = join(this.#folder, `${String(++this.#lastNumber).padStart(8, '0')}.journal`)
    const file = await open(path, 'wx+', 0o600)
    const segment: Segment = { path, file, sizeBytes: 0, doneBytes: 0, records: 0, damaged: false }
    this.#segments.push(segment)
    this.#current = segment
    // The file's name, too, has to be on disk.
    const folder = await open(this.#folder, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
    return segment
  }

  async #removeIfDone (segment: Segment): Promise<void> {
    if (segment.doneBytes < segment.sizeBytes || (segment === this.#current && this.#appending)) return
    if (segment === this.#current) this.#current = null
    try {
      await this.#forget(segment)
      if (segment.damaged) await rename(segment.path, `${segment.path}.damaged`)
      else await rm(segment.path)
    } catch (error) {
      this.#log.warn({ err: error }, 'a journal file with nothing more to do in it cannot be removed; the next start reads it once more')
    }
  }

  async #forget (segment: Segment): Promise<void> {
    const index = this.#segments.indexOf(segment)
    if (index !== -1) this.#segments.splice(index, 1)
    const { file } = segment
    segment.file = null
    await file?.close()
  }

  /** A torn entry is dropped. A damaged one had been released: its file is kept. */
  async #passOver (segment: Segment, error: UnreadableFrame): Promise<void> {
    const bytes = Math.min(error.sizeBytes, segment.sizeBytes - segment.doneBytes)
    segment.doneBytes += bytes
    segment.records = segment.doneBytes === segment.sizeBytes ? 0 : segment.records - error.records
    if (error.kind === 'torn') {
      this.#log.warn({ file: segment.path, bytes }, `the journal's last entry is torn and dropped: ${error.message}. No answer had been released for it`)
    } else {
      segment.damaged = true
      this.#log.error({ file: `${segment.path}.damaged`, bytes, records: error.records }, `the journal is damaged: ${error.message}. What it held is not in the database; the file is kept`)
    }
    await this.#removeIfDone(segment)
  }
}

async function writeWhole (file: FileHandle, frame: Buffer, position: number): Promise<void> {
  for (let written = 0; written < frame.length;) {
    const { bytesWritten } = await file.write(frame, written, frame.length - written, position + written)
    written += bytesWritten
  }
}
