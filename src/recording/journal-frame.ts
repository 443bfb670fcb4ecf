import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

// A journal file (`00000001.journal`) is a row of frames, one per batch, and nothing else:
//
//   ┌───────────┬──────────────┬───────────┬──────────────────┐
//   │ length u32│ checksum u32 │ records u32│ the batch as JSON│   numbers little-endian
//   └───────────┴──────────────┴───────────┴──────────────────┘
//
// `length` counts the JSON's bytes; `checksum` is the CRC-32 (as in gzip) of the two other numbers and the JSON, so that
// zeros, which a crash may leave behind, are no frame. A frame is synced before the answers of its calls go out, and a
// file is never written to again by a later process, so only the last frame of a file can be torn: it ends behind the
// end of the file, or exactly there with a wrong checksum. No answer was released for it.

export const FRAME_HEADER_BYTES = 12

/** Longer than any batch can be: a length above it is no length. */
const MAX_JSON_BYTES = 1024 * 1024 * 1024

export interface Frame {
  readonly json: string
  readonly records: number
  /** Header and JSON. */
  readonly sizeBytes: number
}

/** What a frame that cannot be read is: the last one, cut short by a crash, or damage done later to a whole one. */
export class UnreadableFrame extends Error {
  override readonly name = 'UnreadableFrame'
  readonly kind: 'torn' | 'damaged'
  constructor (kind: 'torn' | 'damaged', offset: number) {
    super(kind === 'torn' ? `the last entry, at byte ${offset}, is not whole` : `the entry at byte ${offset} is damaged`)
    this.kind = kind
  }
}

export function encodeFrame (json: string, records: number): Buffer {
  const length = Buffer.byteLength(json)
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length)
  frame.writeUInt32LE(length, 0)
  frame.writeUInt32LE(records, 8)
  frame.write(json, FRAME_HEADER_BYTES)
  frame.writeUInt32LE(checksum(frame), 4)
  return frame
}

/**
 * Reads the frame at `offset` of a file of `fileBytes`; null where the file ends there.
 *
 * @throws UnreadableFrame; what the file system throws
 */
export async function readFrame (file: FileHandle, offset: number, fileBytes: number): Promise<Frame | null> {
  if (offset === fileBytes) return null
  const header = await readFrameHeader(file, offset, fileBytes)
  const frame = Buffer.allocUnsafe(header.sizeBytes)
  await readWhole(file, frame, offset)
  if (checksum(frame) !== frame.readUInt32LE(4)) {
    throw new UnreadableFrame(offset + header.sizeBytes === fileBytes ? 'torn' : 'damaged', offset)
  }
  return { json: frame.toString('utf8', FRAME_HEADER_BYTES), records: header.records, sizeBytes: header.sizeBytes }
}

/** Reads how long the frame is and how many records it holds, and trusts that. @throws UnreadableFrame where it cannot be so */
export async function readFrameHeader (file: FileHandle, offset: number, fileBytes: number): Promise<Omit<Frame, 'json'>> {
  if (fileBytes - offset < FRAME_HEADER_BYTES) throw new UnreadableFrame('torn', offset)
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES)
  await readWhole(file, header, offset)
  const length = header.readUInt32LE(0)
  const sizeBytes = FRAME_HEADER_BYTES + length
  // Where a crash left zeros.
  if (length === 0) throw new UnreadableFrame('torn', offset)
  if (length > MAX_JSON_BYTES) throw new UnreadableFrame('damaged', offset)
  if (offset + sizeBytes > fileBytes) throw new UnreadableFrame('torn', offset)
  return { records: header.readUInt32LE(8), sizeBytes }
}

const checksum = (frame: Buffer): number =>
  crc32(frame.subarray(8), crc32(frame.subarray(0, 4)))

async function readWhole (file: FileHandle, buffer: Buffer, offset: number): Promise<void> {
  for (let read = 0; read < buffer.length;) {
    const { bytesRead } = await file.read(buffer, read, buffer.length - read, offset + read)
    if (bytesRead === 0) throw new Error('the file ended while it was read')
    read += bytesRead
  }
}
