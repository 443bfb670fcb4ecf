import type { FileHandle } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { type Steps, inSlices } from '../lib/slices.js'
import { decodingUtf8 } from '../lib/utf8-steps.js'

// A journal file (`00000001.journal`) is a row of frames, one per batch, and nothing else:
//
//   ┌────────────┬─────────────┬───────────────────┬─────────────────────┬───────────────────┐
//   │ length u32 │ records u32 │ JSON checksum u32 │ header checksum u32 │ the batch as JSON │   numbers little-endian
//   └────────────┴─────────────┴───────────────────┴─────────────────────┴───────────────────┘
//
// `length` counts the JSON's bytes; the checksums are CRC-32 (as in gzip), the header's is that of the three numbers
// before it. So a length is known to be true before the file's end is compared with it.
//
// A frame is synced before the answers of its calls go out, and a file is never written to again by a later process. So
// only the last frame of a file can be torn, and no answer was released for it: it ends behind the end of the file, or
// what a crash left of it is zeros, which neither a header nor JSON is. All else that cannot be read is damage, which
// takes no other frame with it: the next one is found by its header's checksum (journal-resync.ts).

export const FRAME_HEADER_BYTES = 16

export interface FrameHeader {
  readonly records: number
  /** Header and JSON. */
  readonly sizeBytes: number
  readonly jsonChecksum: number
}

/** A frame that cannot be read: the last one, cut short by a crash, or one to which something was done later. */
export class UnreadableFrame extends Error {
  override readonly name = 'UnreadableFrame'
  readonly kind: 'torn' | 'damaged'
  readonly offset: number
  /** Records in it; null where its header cannot be read. */
  readonly records: number | null

  /** @param kind what it is if no frame follows it: what stands before another is damaged in any case */
  constructor (kind: 'torn' | 'damaged', offset: number, records: number | null = null) {
    super(`the entry at byte ${offset} cannot be read`)
    this.kind = kind
    this.offset = offset
    this.records = records
  }
}

export function encodeFrame (json: string, records: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + Buffer.byteLength(json))
  frame.write(json, FRAME_HEADER_BYTES)
  return withHeader(frame, records, crc32(frame.subarray(FRAME_HEADER_BYTES)))
}

/** As `encodeFrame`, in steps, of JSON in pieces. */
export function * encodingFrame (pieces: readonly Buffer[], records: number): Steps<Buffer> {
  const frame = Buffer.allocUnsafe(pieces.reduce((sum, piece) => sum + piece.length, FRAME_HEADER_BYTES))
  let at = FRAME_HEADER_BYTES
  let checksum = 0
  for (const piece of pieces) {
    yield
    at += piece.copy(frame, at)
    checksum = crc32(piece, checksum)
  }
  return withHeader(frame, records, checksum)
}

function withHeader (frame: Buffer, records: number, jsonChecksum: number): Buffer {
  frame.writeUInt32LE(frame.length - FRAME_HEADER_BYTES, 0)
  frame.writeUInt32LE(records, 4)
  frame.writeUInt32LE(jsonChecksum, 8)
  frame.writeUInt32LE(crc32(frame.subarray(0, 12)), 12)
  return frame
}

/**
 * Reads the JSON of the frame at `offset` of a file of `fileBytes`.
 *
 * @throws UnreadableFrame; what the file system throws
 */
export async function readFrame (file: FileHandle, offset: number, fileBytes: number): Promise<string> {
  const { sizeBytes, records, jsonChecksum } = await readFrameHeader(file, offset, fileBytes)
  const json = await readBytes(file, offset + FRAME_HEADER_BYTES, sizeBytes - FRAME_HEADER_BYTES)
  // Somebody cut the file while it was read.
  if (json === null) throw new UnreadableFrame('damaged', offset, records)
  if (await inSlices(checksumming(json)) !== jsonChecksum) {
    const isTorn = offset + sizeBytes === fileBytes && json.includes(0)
    throw new UnreadableFrame(isTorn ? 'torn' : 'damaged', offset, records)
  }
  const text = await inSlices(decodingUtf8(json))
  // It is parsed in one go: in a turn of its own, where it is long.
  if (json.length > CHECKSUM_BYTES) await setImmediate()
  return text
}

const CHECKSUM_BYTES = 1024 * 1024

function * checksumming (bytes: Buffer): Steps<number> {
  let checksum = 0
  for (let from = 0; from < bytes.length; from += CHECKSUM_BYTES) {
    if (from > 0) yield
    checksum = crc32(bytes.subarray(from, from + CHECKSUM_BYTES), checksum)
  }
  return checksum
}

/** Reads how long the frame is and how many records it holds. @throws UnreadableFrame; what the file system throws */
export async function readFrameHeader (file: FileHandle, offset: number, fileBytes: number): Promise<FrameHeader> {
  const restBytes = fileBytes - offset
  if (restBytes < FRAME_HEADER_BYTES) throw new UnreadableFrame('torn', offset)
  const header = await readBytes(file, offset, FRAME_HEADER_BYTES)
  if (header === null) throw new UnreadableFrame('damaged', offset)
  if (crc32(header.subarray(0, 12)) !== header.readUInt32LE(12)) {
    const rest = await readBytes(file, offset, restBytes)
    throw new UnreadableFrame(rest?.every(byte => byte === 0) === true ? 'torn' : 'damaged', offset)
  }
  const sizeBytes = FRAME_HEADER_BYTES + header.readUInt32LE(0)
  if (sizeBytes > restBytes) throw new UnreadableFrame('torn', offset)
  return { records: header.readUInt32LE(4), sizeBytes, jsonChecksum: header.readUInt32LE(8) }
}

/** Null where the file has not as many. */
async function readBytes (file: FileHandle, offset: number, length: number): Promise<Buffer | null> {
  const buffer = Buffer.allocUnsafe(length)
  for (let read = 0; read < length;) {
    const { bytesRead } = await file.read(buffer, read, length - read, offset + read)
    if (bytesRead === 0) return null
    read += bytesRead
  }
  return buffer
}
