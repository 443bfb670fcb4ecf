import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { xxh64 } from './xxh64.js'

/** A body under a `Content-Encoding`. */
export interface Coded {
  readonly name: string
  readonly code: (text: Buffer) => Buffer
}

interface FrameOptions {
  /** With a window instead of a single segment. */
  readonly window?: boolean
  /** With four bytes behind the last block. */
  readonly checksum?: boolean
  readonly blockBytes?: number
}

/** A zstd frame (RFC 8878) of blocks that are stored, or repeat one byte: what Node 20 cannot write otherwise. */
export function zstdFrame (text: Buffer, { window = false, checksum = false, blockBytes = 65_536 }: FrameOptions = {}): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x80 | (window ? 0 : 0x20) | (checksum ? 4 : 0), ...(window ? [0x70] : []), 0, 0, 0, 0])
  header.writeUInt32LE(text.length, header.length - 4)
  const parts: Buffer[] = [header]
  for (let at = 0; at === 0 || at < text.length; at += blockBytes) {
    const block = text.subarray(at, at + blockBytes)
    const isRun = block.length > 1 && block.every(byte => byte === block[0])
    parts.push(blockHeader(isRun ? 1 : 0, block.length, at + blockBytes >= text.length), isRun ? block.subarray(0, 1) : block)
  }
  if (checksum) {
    const sum = Buffer.alloc(4)
    sum.writeUInt32LE(Number(xxh64(text) & 0xffff_ffffn))
    parts.push(sum)
  }
  return Buffer.concat(parts)
}

/** A block's header: RFC 8878 §3.1.1.2. */
export function blockHeader (type: 0 | 1 | 2, sizeBytes: number, isLast: boolean): Buffer {
  const header = Buffer.alloc(3)
  header.writeUIntLE((sizeBytes << 3) | (type << 1) | (isLast ? 1 : 0), 0, 3)
  return header
}

/** RFC 8878 §3.1.2 */
export const skippableFrame = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])

const half = (text: Buffer): [Buffer, Buffer] => [text.subarray(0, text.length >> 1), text.subarray(text.length >> 1)]

/** Every coding that is read, and every way to write it that senders have. */
export const readable: readonly Coded[] = [
  { name: 'identity', code: text => text },
  { name: 'gzip', code: text => gzipSync(text) },
  { name: 'x-gzip', code: text => gzipSync(text) },
  { name: ' GZip ', code: text => gzipSync(text) },
  { name: 'gzip', code: text => Buffer.concat(half(text).map(part => gzipSync(part))) },
  { name: 'deflate', code: text => deflateSync(text) },
  { name: 'deflate', code: text => deflateSync(text, { level: 0, windowBits: 9 }) },
  { name: 'deflate', code: text => deflateRawSync(text) },
  { name: 'deflate', code: text => deflateRawSync(text, { level: 0 }) },
  { name: 'Br', code: text => brotliCompressSync(text) },
  { name: 'zstd', code: text => zstdFrame(text) },
  { name: 'zstd', code: text => zstdFrame(text, { window: true, checksum: true, blockBytes: 7 }) },
  { name: 'zstd', code: text => Buffer.concat([skippableFrame, ...half(text).map(part => zstdFrame(part)), skippableFrame]) },
  { name: 'gzip, br', code: text => brotliCompressSync(gzipSync(text)) },
  { name: 'identity,deflate ,  zstd', code: text => zstdFrame(deflateRawSync(text)) },
  { name: 'zstd, identity, gzip,', code: text => gzipSync(zstdFrame(text)) },
  { name: 'br, gzip, deflate', code: text => deflateSync(gzipSync(brotliCompressSync(text))) }
]
