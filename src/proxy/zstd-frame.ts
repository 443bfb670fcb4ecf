import { ZstdError } from './zstd-entropy.js'

const MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
/** What other decoders take by default. HTTP allows 8 MiB (RFC 9659). Memory is taken as it is filled. */
const MAX_WINDOW_BYTES = 128 * 1024 * 1024

/** What a frame says of itself (RFC 8878 §3.1.1.1), or that it is to be skipped (§3.1.2). */
export type FrameHeader =
  | { readonly kind: 'incomplete', readonly needBytes: number }
  | { readonly kind: 'skippable', readonly sizeBytes: number }
  | {
    readonly kind: 'frame'
    readonly sizeBytes: number
    readonly windowBytes: number
    /** Null where it is not told. */
    readonly contentBytes: number | null
    readonly hasChecksum: boolean
  }

/** Whether a frame may begin with these, as far as they go. */
export function mayBeFrame (bytes: Buffer): boolean {
  const [a = 0x28, b = 0xb5, c = 0x2f, d = 0xfd] = bytes
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return true
  const [e = 0x50, f = 0x2a, g = 0x4d, h = 0x18] = bytes
  return (e & 0xf0) === 0x50 && f === 0x2a && g === 0x4d && h === 0x18
}

/** @throws ZstdError */
export function readFrameHeader (bytes: Buffer): FrameHeader {
  if (bytes.length < 5) return { kind: 'incomplete', needBytes: 5 }
  const magic = bytes.readUInt32LE(0)
  if ((magic & 0xfffffff0) === SKIPPABLE_MAGIC) {
    if (bytes.length < 8) return { kind: 'incomplete', needBytes: 8 }
    return { kind: 'skippable', sizeBytes: 8 + bytes.readUInt32LE(4) }
  }
  if (magic !== MAGIC) throw new ZstdError('a frame does not begin as one')
  const descriptor = bytes.readUInt8(4)
  if ((descriptor & 8) !== 0) throw new ZstdError('a frame has a bit that is reserved')
  const isSingleSegment = (descriptor & 32) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
  const contentSizeBytes = descriptor >> 6 === 0 ? (isSingleSegment ? 1 : 0) : 1 << (descriptor >> 6)
  const dictionaryAt = isSingleSegment ? 5 : 6
  const contentSizeAt = dictionaryAt + dictionaryBytes
  const sizeBytes = contentSizeAt + contentSizeBytes
  if (bytes.length < sizeBytes) return { kind: 'incomplete', needBytes: sizeBytes }
  const dictionary = dictionaryBytes > 0 ? bytes.readUIntLE(dictionaryAt, dictionaryBytes) : 0
  if (dictionary !== 0) throw new ZstdError('a frame needs a dictionary')

  const contentBytes = contentSizeOf(bytes, contentSizeAt, contentSizeBytes)
  const windowBytes = isSingleSegment ? contentBytes ?? 0 : windowSize(bytes.readUInt8(5))
  if (windowBytes > MAX_WINDOW_BYTES) throw new ZstdError('a frame needs more memory than it may take')
  return { kind: 'frame', sizeBytes, windowBytes, contentBytes, hasChecksum: (descriptor & 4) !== 0 }
}

function contentSizeOf (bytes: Buffer, at: number, size: number): number | null {
  switch (size) {
    case 0: return null
    case 1: return bytes.readUInt8(at)
    case 2: return bytes.readUInt16LE(at) + 256
    case 4: return bytes.readUInt32LE(at)
    default: return Number(bytes.readBigUInt64LE(at))
  }
}

function windowSize (descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}
