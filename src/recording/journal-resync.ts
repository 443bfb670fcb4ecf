import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { FRAME_HEADER_BYTES } from './journal-frame.js'

const CHUNK_BYTES = 1024 * 1024
const OPEN_BRACE = 0x7b
/** As every entry of a batch begins. In a JSON string the quotes would be escaped. */
const ENTRY = '{"record":{"id":"'

/**
 * Finds the next frame after damage: the first place from `from` on where a header's checksum is right and JSON begins
 * after it. A header contains zero bytes (a batch has far fewer than 65,536 records), which JSON text never does. So
 * no text of a caller is taken for a frame.
 *
 * @returns null where there is none
 * @throws what the file system throws
 */
export async function findFrame (file: FileHandle, from: number, fileBytes: number): Promise<number | null> {
  /** One that is longer than the file: the last one, torn. */
  let tooLong: number | null = null
  for await (const { chunk, offset } of chunks(file, from, fileBytes, FRAME_HEADER_BYTES)) {
    const nextBrace = (from: number): number => chunk.indexOf(OPEN_BRACE, from)
    for (let brace = nextBrace(FRAME_HEADER_BYTES); brace !== -1; brace = nextBrace(brace + 1)) {
      const at = brace - FRAME_HEADER_BYTES
      if (!isHeader(chunk, at)) continue
      if (offset + brace + chunk.readUInt32LE(at) <= fileBytes) return offset + at
      tooLong ??= offset + at
    }
  }
  return tooLong
}

/** How many records begin between the two places, as far as their beginnings can be read. */
export async function countRecords (file: FileHandle, from: number, to: number): Promise<number> {
  let records = 0
  for await (const { chunk } of chunks(file, from, to, ENTRY.length - 1)) {
    for (let at = chunk.indexOf(ENTRY); at !== -1; at = chunk.indexOf(ENTRY, at + 1)) records++
  }
  return records
}

function isHeader (bytes: Buffer, at: number): boolean {
  return bytes[at + 6] === 0 && bytes[at + 7] === 0 && bytes.readUInt16LE(at + 4) > 0 &&
    crc32(bytes.subarray(at, at + 12)) === bytes.readUInt32LE(at + 12)
}

/** The bytes between the two places, each chunk with the last `overlap` bytes of the one before. */
async function * chunks (
  file: FileHandle, from: number, to: number, overlap: number
): AsyncGenerator<{ readonly chunk: Buffer, readonly offset: number }> {
  for (let offset = from; offset < to;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - offset))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, offset)
    if (bytesRead > 0) yield { chunk: chunk.subarray(0, bytesRead), offset }
    if (bytesRead <= overlap) return
    offset += bytesRead - overlap
    if (offset + overlap >= to) return
  }
}
