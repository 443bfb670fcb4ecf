import {
  BackwardBits, type FseTable, type HuffmanTable, ZstdError, fseTable, readFseTable, readHuffmanTable, singleFseTable
} from './zstd-entropy.js'

/** A block is never longer, decoded (RFC 8878 §3.1.1.2.4). */
export const MAX_BLOCK_BYTES = 128 * 1024

/** Up to this length a loop is faster than a call. */
const LOOP_BYTES = 32

/** How much more than its window a history holds, so that it is moved once in a while and not for each block. */
const MAX_SLACK_BYTES = 8 * 1024 * 1024

/** What is decoded of a frame, as far back as its blocks may refer to. */
export class ZstdHistory {
  readonly #windowBytes: number
  #bytes = new Uint8Array(0)
  #size = 0

  constructor (windowBytes: number) {
    this.#windowBytes = windowBytes
  }

  get size (): number { return this.#size }

  /** Makes room for a block: what is behind the window goes, and the buffer grows with what was really decoded. */
  reserve (blockBytes: number): Uint8Array {
    if (this.#size + blockBytes <= this.#bytes.length) return this.#bytes
    const kept = Math.min(this.#size, this.#windowBytes)
    const wanted = kept + Math.min(kept, MAX_SLACK_BYTES) + Math.max(blockBytes, 4096)
    if (wanted <= this.#bytes.length && kept < this.#size) {
      this.#bytes.copyWithin(0, this.#size - kept, this.#size)
    } else {
      const larger = new Uint8Array(wanted)
      larger.set(this.#bytes.subarray(this.#size - kept, this.#size))
      this.#bytes = larger
    }
    this.#size = kept
    return this.#bytes
  }

  /** @returns a copy of what a block added */
  take (end: number): Buffer {
    const text = Buffer.from(this.#bytes.subarray(this.#size, end))
    this.#size = end
    return text
  }
}

// RFC 8878 §3.1.1.3.2.2: the default tables.
const times = (count: number, value: number): number[] => Array<number>(count).fill(value)
const DEFAULT_LITERAL_LENGTHS =
  fseTable(6, [4, 3, ...times(11, 2), 1, 1, 1, ...times(9, 2), 3, 2, ...times(5, 1), ...times(4, -1)])
const DEFAULT_OFFSETS = fseTable(5, [...times(6, 1), 2, 2, 2, ...times(15, 1), ...times(5, -1)])
const DEFAULT_MATCH_LENGTHS = fseTable(6, [1, 4, 3, ...times(6, 2), ...times(37, 1), ...times(7, -1)])

// RFC 8878 §3.1.1.3.2.1: the bits that follow a code; each code's values begin where those of the one before end.
const LITERAL_LENGTH_BITS = [...times(16, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
const MATCH_LENGTH_BITS = [...times(32, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
const MAX_OFFSET_CODE = 31
const POWERS = Array.from({ length: MAX_OFFSET_CODE + 1 }, (_, exponent) => 2 ** exponent)

function basesOf (bits: readonly number[], first: number): number[] {
  const bases: number[] = []
  let base = first
  for (const width of bits) {
    bases.push(base)
    base += 1 << width
  }
  return bases
}

const LITERAL_LENGTH_BASES = basesOf(LITERAL_LENGTH_BITS, 0)
const MATCH_LENGTH_BASES = basesOf(MATCH_LENGTH_BITS, 3)

interface Literals { readonly bytes: Uint8Array, readonly end: number }

/** Decodes the compressed blocks of one frame (RFC 8878 §3.1.1.3), each of which may go by the tables of the one before. */
export class ZstdBlocks {
  readonly #history: ZstdHistory
  readonly #maxBytes: number
  #huffman: HuffmanTable | null = null
  #literalLengths: FseTable | null = null
  #offsets: FseTable | null = null
  #matchLengths: FseTable | null = null
  readonly #recent = [1, 4, 8]

  constructor (history: ZstdHistory, windowBytes: number) {
    this.#history = history
    this.#maxBytes = Math.min(MAX_BLOCK_BYTES, windowBytes)
  }

  /** @throws ZstdError */
  decode (block: Uint8Array): Buffer {
    const literals = this.#readLiterals(block)
    let at = literals.end
    const first = byteAt(block, at++)
    let count = first
    if (first === 255) {
      count = byteAt(block, at) + (byteAt(block, at + 1) << 8) + 0x7f00
      at += 2
    } else if (first > 127) {
      count = ((first - 128) << 8) + byteAt(block, at++)
    }
    const out = this.#history.reserve(this.#maxBytes)
    const start = this.#history.size
    if (count === 0) {
      if (at !== block.length) throw new ZstdError('a block has more than its literals')
      if (literals.bytes.length > this.#maxBytes) throw new ZstdError('a block is too long')
      out.set(literals.bytes, start)
      return this.#history.take(start + literals.bytes.length)
    }
    const modes = byteAt(block, at++)
    if ((modes & 3) !== 0) throw new ZstdError('a block has bits that are reserved')
    const lengths = readTable(block, at, modes >> 6, LITERAL_LENGTHS, this.#literalLengths)
    const offsets = readTable(block, lengths.end, (modes >> 4) & 3, OFFSETS, this.#offsets)
    const matches = readTable(block, offsets.end, (modes >> 2) & 3, MATCH_LENGTHS, this.#matchLengths)
    this.#literalLengths = lengths.table
    this.#offsets = offsets.table
    this.#matchLengths = matches.table
    const stream = new BackwardBits(block, matches.end, block.length)
    return this.#history.take(this.#execute(stream, count, literals.bytes, out, start))
  }

  /** RFC 8878 §3.1.1.3.1 */
  #readLiterals (block: Uint8Array): Literals {
    const first = byteAt(block, 0)
    const type = first & 3
    const format = (first >> 2) & 3
    if (type < 2) {
      const headerBytes = format === 1 ? 2 : format === 3 ? 3 : 1
      const third = headerBytes === 3 ? byteAt(block, 2) << 12 : 0
      const size = headerBytes === 1 ? first >> 3 : (first >> 4) | (byteAt(block, 1) << 4) | third
      const end = headerBytes + (type === 0 ? size : 1)
      if (size > this.#maxBytes || end > block.length) throw new ZstdError('literals do not end')
      if (type === 0) return { bytes: block.subarray(headerBytes, end), end }
      return { bytes: new Uint8Array(size).fill(byteAt(block, headerBytes)), end }
    }
    const headerBytes = format < 2 ? 3 : format + 2
    const fourth = headerBytes > 3 ? byteAt(block, 3) << 24 : 0
    const header = first | (byteAt(block, 1) << 8) | (byteAt(block, 2) << 16) | fourth
    const width = format < 2 ? 10 : format === 2 ? 14 : 18
    const size = (header >>> 4) & ((1 << width) - 1)
    const compressed = format === 3
      ? (header >>> 22) | (byteAt(block, 4) << 10)
      : (header >>> (4 + width)) & ((1 << width) - 1)
    const end = headerBytes + compressed
    if (size > this.#maxBytes || end > block.length) throw new ZstdError('literals do not end')
    let from = headerBytes
    if (type === 2) {
      const read = readHuffmanTable(block, from, end)
      this.#huffman = read.table
      from = read.end
    }
    if (this.#huffman === null) throw new ZstdError('literals have no table')
    const bytes = new Uint8Array(size)
    if (format === 0) decodeLiterals(this.#huffman, block, from, end, bytes)
    else decodeFourStreams(this.#huffman, block, from, end, bytes)
    return { bytes, end }
  }

  /** RFC 8878 §3.1.1.4. @returns where the block ends in the history */
  #execute (stream: BackwardBits, count: number, literals: Uint8Array, out: Uint8Array, start: number): number {
    const [lengths, offsets, matches] = [this.#literalLengths, this.#offsets, this.#matchLengths]
    if (lengths === null || offsets === null || matches === null) throw new ZstdError('sequences have no tables')
    const limit = start + this.#maxBytes
    let lengthState = stream.read(lengths.log)
    let offsetState = stream.read(offsets.log)
    let matchState = stream.read(matches.log)
    let from = 0
    let at = start
    for (let left = count; left > 0; left--) {
      const offsetCode = offsets.symbols[offsetState] ?? 0
      const low = Math.min(offsetCode, 24)
      const high = stream.read(offsetCode - low)
      const offsetValue = (POWERS[offsetCode] ?? 0) + high * (POWERS[low] ?? 0) + stream.read(low)
      const matchCode = matches.symbols[matchState] ?? 0
      const match = (MATCH_LENGTH_BASES[matchCode] ?? 0) + stream.read(MATCH_LENGTH_BITS[matchCode] ?? 0)
      const lengthCode = lengths.symbols[lengthState] ?? 0
      const length = (LITERAL_LENGTH_BASES[lengthCode] ?? 0) + stream.read(LITERAL_LENGTH_BITS[lengthCode] ?? 0)
      if (left > 1) {
        lengthState = (lengths.bases[lengthState] ?? 0) + stream.read(lengths.bits[lengthState] ?? 0)
        matchState = (matches.bases[matchState] ?? 0) + stream.read(matches.bits[matchState] ?? 0)
        offsetState = (offsets.bases[offsetState] ?? 0) + stream.read(offsets.bits[offsetState] ?? 0)
      }
      // Looked at before anything is copied: a few bytes may ask for gigabytes.
      const isInBounds = from + length <= literals.length && at + length + match <= limit
      if (stream.left < 0 || !isInBounds) throw new ZstdError('a sequence is longer than its block')
      const offset = this.#offset(offsetValue, length)
      if (length > LOOP_BYTES) out.set(literals.subarray(from, from + length), at)
      else for (let i = 0; i < length; i++) out[at + i] = literals[from + i] ?? 0
      from += length
      at += length
      if (offset > at) throw new ZstdError('a sequence refers to what was not sent')
      // A match may run into itself: then it repeats what it has just written.
      if (match > LOOP_BYTES && offset >= match) out.copyWithin(at, at - offset, at - offset + match)
      else for (let i = at; i < at + match; i++) out[i] = out[i - offset] ?? 0
      at += match
    }
    if (stream.left !== 0) throw new ZstdError('a block has more than its sequences')
    const rest = literals.length - from
    if (at + rest > limit) throw new ZstdError('a block is too long')
    out.set(literals.subarray(from), at)
    return at + rest
  }

  /** RFC 8878 §3.1.1.5: the first three values stand for offsets that were used before. */
  #offset (value: number, literalLength: number): number {
    const recent = this.#recent
    const [first = 1, second = 4, third = 8] = recent
    const index = value > 3 ? 4 : value + (literalLength === 0 ? 1 : 0)
    if (index === 1) return first
    const offset = value > 3 ? value - 3 : index === 2 ? second : index === 3 ? third : first - 1
    if (offset === 0) throw new ZstdError('a sequence refers to itself')
    if (index > 2) recent[2] = second
    recent[1] = first
    recent[0] = offset
    return offset
  }
}

interface Codes { readonly standard: FseTable, readonly maxLog: number, readonly maxSymbol: number }

const LITERAL_LENGTHS: Codes =
  { standard: DEFAULT_LITERAL_LENGTHS, maxLog: 9, maxSymbol: LITERAL_LENGTH_BITS.length - 1 }
const OFFSETS: Codes = { standard: DEFAULT_OFFSETS, maxLog: 8, maxSymbol: MAX_OFFSET_CODE }
const MATCH_LENGTHS: Codes = { standard: DEFAULT_MATCH_LENGTHS, maxLog: 9, maxSymbol: MATCH_LENGTH_BITS.length - 1 }

function readTable (
  block: Uint8Array, at: number, mode: number, { standard, maxLog, maxSymbol }: Codes, before: FseTable | null
): { table: FseTable, end: number } {
  if (mode === 0) return { table: standard, end: at }
  if (mode === 2) return readFseTable(block, at, block.length, maxLog, maxSymbol)
  if (mode === 3) {
    if (before === null) throw new ZstdError('a block repeats a table that was not sent')
    return { table: before, end: at }
  }
  const symbol = byteAt(block, at)
  if (symbol > maxSymbol) throw new ZstdError('a code is too large')
  return { table: singleFseTable(symbol), end: at + 1 }
}

/** RFC 8878 §4.2.2 */
function decodeLiterals (
  { maxBits, literals, bits }: HuffmanTable, block: Uint8Array, from: number, to: number, out: Uint8Array
): void {
  const stream = new BackwardBits(block, from, to)
  const mask = (1 << maxBits) - 1
  let state = stream.read(maxBits)
  for (let i = 0; i < out.length; i++) {
    out[i] = literals[state] ?? 0
    const width = bits[state] ?? 0
    state = ((state << width) | stream.read(width)) & mask
  }
  if (stream.left !== -maxBits) throw new ZstdError('literals do not end where they should')
}

function decodeFourStreams (table: HuffmanTable, block: Uint8Array, from: number, to: number, out: Uint8Array): void {
  const quarter = (out.length + 3) >> 2
  let at = from + 6
  for (let i = 0; i < 4; i++) {
    const jump = from + 2 * i
    const end = i === 3 ? to : at + byteAt(block, jump) + (byteAt(block, jump + 1) << 8)
    if (end > to || i * quarter > out.length) throw new ZstdError('literals do not end')
    decodeLiterals(table, block, at, end, out.subarray(i * quarter, i === 3 ? out.length : (i + 1) * quarter))
    at = end
  }
}

function byteAt (bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new ZstdError('a block is too short')
  return byte
}
