import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const isBefore = (release: number): boolean => major < 24 || (major === 24 && minor < release)

/** Why zstd bodies of several frames are not tried on this Node, or false. */
export const noZstdFrames = isBefore(22) && 'before Node 24.22 a zstd body ends behind the first of its frames'

/** Why zstd bodies that break off are not tried on this Node, or false. */
export const noZstdEnd = isBefore(20) && 'before Node 24.20 a zstd body that breaks off is whole'

/** A body under a `Content-Encoding`. */
export interface Coded {
  readonly name: string
  readonly code: (text: Buffer) => Buffer
}

/** RFC 8878 §3.1.2 */
export const skippableFrame = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])

/** The smallest window, and four bytes behind the last block. */
const checked = { params: { [constants.ZSTD_c_windowLog]: 10, [constants.ZSTD_c_checksumFlag]: 1 } }

/** One frame of stored blocks (RFC 8878 §3.1.1): no shorter than the text. */
export function storedZstd (text: Buffer): Buffer {
  const maxBlockBytes = 65_536
  const parts: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0])]
  parts[0]?.writeUInt32LE(text.length, 5)
  for (let at = 0; at < text.length; at += maxBlockBytes) {
    const block = text.subarray(at, at + maxBlockBytes)
    const header = Buffer.alloc(3)
    header.writeUIntLE(block.length * 8 + (at + maxBlockBytes >= text.length ? 1 : 0), 0, 3)
    parts.push(header, block)
  }
  return Buffer.concat(parts)
}

const half = (text: Buffer): [Buffer, Buffer] => [text.subarray(0, text.length >> 1), text.subarray(text.length >> 1)]

/** Two frames of text, between two that have none. */
export const zstdFrames: Coded = {
  name: 'zstd',
  code: text => Buffer.concat([skippableFrame, ...half(text).map(part => zstdCompressSync(part)), skippableFrame])
}

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
  { name: 'zstd', code: text => zstdCompressSync(text) },
  { name: 'zstd', code: text => zstdCompressSync(text, checked) },
  ...noZstdFrames === false ? [zstdFrames] : [],
  { name: 'gzip, br', code: text => brotliCompressSync(gzipSync(text)) },
  { name: 'identity,deflate ,  zstd', code: text => zstdCompressSync(deflateRawSync(text)) },
  { name: 'zstd, identity, gzip,', code: text => gzipSync(zstdCompressSync(text)) },
  { name: 'br, gzip, deflate', code: text => deflateSync(gzipSync(brotliCompressSync(text))) }
]
