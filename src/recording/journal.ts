import { type FileHandle, access, constants, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../log.js'
import { inSlices } from '../lib/slices.js'
import { LONG_PAYLOADS, batchJsonPieces, batchToJson, parseBatch, payloadCharacters } from './batch-json.js'
import type { RecordBatch } from './call-record.js'
import { UnreadableFrame, encodeFrame, encodingFrame, readFrame, readFrameHeader } from './journal-frame.js'
import { type Segment, measureDamage, recordsIn } from './journal-segment.js'
import { uuidTimeMs } from './uuid-v7.js'

/** A damaged file keeps its number, so that no other comes to have its name. */
const SEGMENT_NAME = /^(\d{8})\.journal(\.damaged)?$/
/** A file is given up when all of it is in the database, so files are not too large. */
const MAX_SEGMENT_BYTES = 64 * 1024 * 1024

/** A frame that was read. */
interface Place {
  readonly segment: Segment
  readonly offset: number
  readonly sizeBytes: number
  readonly records: number
  /** When its batch was made, milliseconds since the epoch. */
  readonly atMs: number
}

export interface JournalOptions {
  /** Called for damage: the records that are lost, as far as they can be counted, and their bytes. */
  readonly onDamage?: (records: number, sizeBytes: number) => void
}

/**
 * Batches on disk that wait for the database, in order. `append` adds one at the end and is synced when it resolves;
 * `oldest` and `dropOldest` take them from the front. A batch that the database rejects can be set back behind all
 * others, so that it does not delay them. Which batches are done or set back is known only in memory. A later process
 * reads a file again from its beginning, which is harmless: a committed batch is not committed again.
 *
 * ```
 *   00000003.journal              00000004.journal        00000005.journal
 *   ├─ done ── set back ─┼─ to do ─┤ ├───── to do ─────┤  ├─ to do ─┤◀─ append
 *             ▲ last     ▲ oldest
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
  /** In the order in which they were. */
  readonly #setBack: Place[] = []
  /** What `oldest` gave. */
  #given: Place | null = null
  readonly #onDamage: (records: number, sizeBytes: number) => void

  private constructor (folder: string, log: Log, { onDamage = () => {} }: JournalOptions) {
    this.#folder = folder
    this.#log = log
    this.#onDamage = onDamage
  }

  /** Opens the journal in the folder, which is made if need be. @throws what the file system throws */
  static async open (folder: string, log: Log, options: JournalOptions = {}): Promise<Journal> {
    const journal = new Journal(folder, log, options)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // An outage is too late to hear of it.
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    for (const name of (await readdir(folder)).sort()) {
      const [, number, damaged] = SEGMENT_NAME.exec(name) ?? []
      if (number === undefined) continue
      journal.#lastNumber = Number(number)
      if (damaged === undefined) journal.#segments.push(await journal.#scan(join(folder, name)))
    }
    if (journal.records > 0) {
      log.warn(
        { records: journal.records, bytes: journal.sizeBytes },
        'the journal contains records of an earlier run; they are replayed into the database now'
      )
    }
    return journal
  }

  get isEmpty (): boolean { return this.#segments.every(isDone) }

  /** Records that wait here. */
  get records (): number { return this.#segments.reduce((sum, { records }) => sum + records, 0) }

  /** Bytes that wait here. */
  get sizeBytes (): number {
    const unreadBytes = this.#segments.reduce((sum, { sizeBytes, readBytes }) => sum + sizeBytes - readBytes, 0)
    return this.#setBack.reduce((sum, { sizeBytes }) => sum + sizeBytes, unreadBytes)
  }

  /** When the oldest batch was made, milliseconds since the epoch; null if none waits. */
  get oldestAtMs (): number | null {
    const setBackAtMs = Math.min(...this.#setBack.map(({ atMs }) => atMs))
    if (this.#firstUnread() === undefined) return setBackAtMs === Infinity ? null : setBackAtMs
    return this.#oldestAtMs === null ? null : Math.min(this.#oldestAtMs, setBackAtMs)
  }

  /**
   * Adds the batch, and has it synced. One at a time.
   *
   * @throws what the file system throws; the batch is not in the journal then
   */
  async append (batch: RecordBatch): Promise<void> {
    this.#appending = true
    let frame: Buffer
    let segment: Segment
    try {
      frame = await frameOf(batch)
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
    if (this.#firstUnread() === undefined) this.#oldestAtMs = uuidTimeMs(batch.id)
    segment.sizeBytes += frame.length
    segment.records += batch.entries.length
    if (segment.sizeBytes >= MAX_SEGMENT_BYTES) this.#current = null
  }

  /**
   * The oldest batch that is not done with; of those set back, none before all others. Null if there is none.
   *
   * @throws what the file system throws
   */
  async oldest (): Promise<RecordBatch | null> {
    for (;;) {
      const segment = this.#firstUnread()
      const at = segment === undefined ? this.#setBack[0] : { segment, offset: segment.readBytes }
      if (at === undefined) return null
      try {
        return await this.#read(at.segment, at.offset)
      } catch (error) {
        if (!(error instanceof UnreadableFrame)) throw error
        await this.#passOver(at.segment, error)
      }
    }
  }

  /** The batch that `oldest` gave is in the database, or never will be. */
  async dropOldest (): Promise<void> {
    const place = this.#given
    if (place === null) return
    this.#given = null
    this.#forward(place)
    place.segment.records -= place.records
    await this.#removeIfDone(place.segment)
  }

  /** The batch that `oldest` gave comes after all others. */
  setOldestBack (): void {
    const place = this.#given
    if (place === null) return
    this.#given = null
    this.#forward(place)
    place.segment.setBack++
    this.#setBack.push(place)
  }

  async close (): Promise<void> {
    this.#current = null
    for (const segment of this.#segments) {
      await segment.file?.close()
      segment.file = null
    }
  }

  /** The first file with a frame that was neither done nor set back. */
  #firstUnread (): Segment | undefined {
    return this.#segments.find(({ readBytes, sizeBytes }) => readBytes < sizeBytes)
  }

  async #read (segment: Segment, offset: number): Promise<RecordBatch> {
    segment.file ??= await open(segment.path, 'r')
    const { records, sizeBytes } = await readFrameHeader(segment.file, offset, segment.sizeBytes)
    const batch = parseBatch(await readFrame(segment.file, offset, segment.sizeBytes))
    const atMs = uuidTimeMs(batch.id)
    if (offset === segment.readBytes) this.#oldestAtMs = atMs
    this.#given = { segment, offset, sizeBytes, records, atMs }
    return batch
  }

  /** The frame is no longer where it was: not the next to be read, nor among those set back. */
  #forward ({ segment, offset, sizeBytes }: Pick<Place, 'segment' | 'offset' | 'sizeBytes'>): void {
    if (offset === segment.readBytes) {
      segment.readBytes += sizeBytes
      return
    }
    this.#setBack.splice(this.#setBack.findIndex(place => place.segment === segment && place.offset === offset), 1)
    segment.setBack--
  }

  async #scan (path: string): Promise<Segment> {
    const file = await open(path, 'r')
    const { size, mtimeMs } = await file.stat()
    this.#oldestAtMs ??= mtimeMs
    const records = await recordsIn(file, size)
    return { path, file, sizeBytes: size, readBytes: 0, setBack: 0, records, damaged: false }
  }

  async #create (): Promise<Segment> {
    const path = join(this.#folder, `${String(++this.#lastNumber).padStart(8, '0')}.journal`)
    const file = await open(path, 'wx+', 0o600)
    const segment: Segment = { path, file, sizeBytes: 0, readBytes: 0, setBack: 0, records: 0, damaged: false }
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
    if (!isDone(segment) || (segment === this.#current && this.#appending)) return
    if (segment === this.#current) this.#current = null
    try {
      await this.#forget(segment)
      if (segment.damaged) await rename(segment.path, `${segment.path}.damaged`)
      else await rm(segment.path)
    } catch (error) {
      this.#log.warn({ err: error }, 'a finished journal file cannot be removed; the next start reads it again')
    }
  }

  async #forget (segment: Segment): Promise<void> {
    const index = this.#segments.indexOf(segment)
    if (index !== -1) this.#segments.splice(index, 1)
    const { file } = segment
    segment.file = null
    await file?.close()
  }

  /** A torn entry is dropped. A damaged one had been released: what it held is lost, and its file is kept. */
  async #passOver (segment: Segment, error: UnreadableFrame): Promise<void> {
    if (segment.file === null) throw error
    const measured = await measureDamage(segment.file, error, segment.sizeBytes)
    const known = this.#setBack.find(place => place.segment === segment && place.offset === error.offset)
    const { kind, records, sizeBytes } = known === undefined ? measured : { ...known, kind: 'damaged' as const }
    this.#forward({ segment, offset: error.offset, sizeBytes })
    if (isDone(segment)) segment.records = 0
    else if (known !== undefined || error.records !== null) segment.records -= records
    if (kind === 'torn') {
      this.#log.warn({ file: segment.path, bytes: sizeBytes },
        `the journal's last entry is torn and dropped: ${error.message}. No response was released for it`)
    } else {
      segment.damaged = true
      this.#onDamage(records, sizeBytes)
      this.#log.error({ file: `${segment.path}.damaged`, bytes: sizeBytes, records },
        `the journal is damaged: ${error.message}. Its records are lost, those after it are not; the file is retained. ` +
        'Check the disk under DATA_DIR')
    }
    await this.#removeIfDone(segment)
  }
}

/** In slices where its prompts and responses are long: no batch holds the event loop. */
async function frameOf (batch: RecordBatch): Promise<Buffer> {
  const records = batch.entries.length
  if (payloadCharacters(batch) <= LONG_PAYLOADS) return encodeFrame(batchToJson(batch), records)
  return await inSlices(encodingFrame(await inSlices(batchJsonPieces(batch)), records))
}

/** Nothing in it waits. */
function isDone ({ readBytes, sizeBytes, setBack }: Segment): boolean {
  return readBytes >= sizeBytes && setBack === 0
}

async function writeWhole (file: FileHandle, frame: Buffer, position: number): Promise<void> {
  for (let written = 0; written < frame.length;) {
    const { bytesWritten } = await file.write(frame, written, frame.length - written, position + written)
    written += bytesWritten
  }
}
