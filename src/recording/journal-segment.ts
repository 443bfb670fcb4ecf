import type { FileHandle } from 'node:fs/promises'
import { UnreadableFrame, readFrameHeader } from './journal-frame.js'
import { countRecords, findFrame } from './journal-resync.js'

/** A journal file: see journal-frame.ts for what is in it. */
export interface Segment {
  readonly path: string
  /** Open for as long as it is written to or read from. */
  file: FileHandle | null
  /** Up to here its frames are synced; what a failed write left behind that does not count. */
  sizeBytes: number
  /** Up to here its frames are done with, or set back. */
  readBytes: number
  /** Frames that are set back. */
  setBack: number
  /** Records in the frames that are not done with. */
  records: number
  /** A frame of it cannot be read: the file is kept, out of the way, for people to look at. */
  damaged: boolean
}

/** A part of a file that cannot be read. */
export interface UnreadablePart {
  readonly kind: 'torn' | 'damaged'
  readonly sizeBytes: number
  /** That were in it: as its header says, or as many as still show. */
  readonly records: number
}

/** The extent of damage: to the next frame that can be read, or to the end. */
export async function measureDamage (
  file: FileHandle, { kind, offset, records }: UnreadableFrame, fileBytes: number
): Promise<UnreadablePart> {
  const next = await findFrame(file, offset + 1, fileBytes)
  const end = next ?? fileBytes
  return {
    kind: next === null ? kind : 'damaged',
    sizeBytes: end - offset,
    records: records ?? await countRecords(file, offset, end)
  }
}

/**
 * The number of records in a file of an earlier process. Parts that cannot be read are found and reported later, in
 * order.
 */
export async function recordsIn (file: FileHandle, fileBytes: number): Promise<number> {
  let records = 0
  for (let offset = 0; offset < fileBytes;) {
    try {
      const header = await readFrameHeader(file, offset, fileBytes)
      records += header.records
      offset += header.sizeBytes
    } catch (error) {
      if (!(error instanceof UnreadableFrame)) throw error
      offset += (await measureDamage(file, error, fileBytes)).sizeBytes
    }
  }
  return records
}
