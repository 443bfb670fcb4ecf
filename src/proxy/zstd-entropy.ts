/** The body is no zstd, or none that is read here. */
export class ZstdError extends Error {
  override readonly name = 'ZstdError'
}

/** A finite state entropy table (RFC 8878 §4.1): what each state stands for, and how the next is found. */
export interface FseTable {
  readonly log: number
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
  readonly bases: Uint16Array
}

/** A Huffman table (RFC 8878 §4.2): by the next `maxBits` bits, the literal and how many of them it has. */
export interface HuffmanTable {
  readonly maxBits: number
  readonly literals: Uint8Array
  readonly bits: Uint8Array
}

const MAX_HUFFMAN_BITS = 11
const MAX_WEIGHTS_LOG = 6

/** The index of the highest bit that is set; of 0, -1. */
export const highBit = (value: number): number => 31 - Math.clz32(value)

/** A bit stream that is read from its end (RFC 8878 §4.1): its last byte's highest bit is a mark. Before its start are zeros. */
export class BackwardBits {
  readonly #bytes: Uint8Array
  readonly #from: number
  /** Bits that are left; negative once more was read than there was. */
  left: number

  /** @throws ZstdError where there is no mark */
  constructor (bytes: Uint8Array, from: number, to: number) {
    const last = to > from ? bytes[to - 1] ?? 0 : 0
    if (last === 0) throw new ZstdError('a bit stream has no end')
    this.#bytes = bytes
    this.#from = from
    this.left = (to - from - 1) * 8 + highBit(last)
  }

  /** @param count at most 25 */
  read (count: number): number {
    if (count === 0) return 0
    this.left -= count
    if (this.left < 0) {
      const there = this.left + count
      return there <= 0 ? 0 : (this.#at(0, there) << -this.left) & ((1 << count) - 1)
    }
    return this.#at(this.left, count)
  }

  #at (bit: number, count: number): number {
    const bytes = this.#bytes
    const i = this.#from + (bit >> 3)
    const low = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8)
    const four = low | ((bytes[i + 2] ?? 0) << 16) | ((bytes[i + 3] ?? 0) << 24)
    return (four >>> (bit & 7)) & ((1 << count) - 1)
  }
}

/** How often each symbol stands in a table of `1 << log` states; -1 for less than once. @throws ZstdError */
export function fseTable (log: number, frequencies: readonly number[]): FseTable {
  const size = 1 << log
  const symbols = new Uint8Array(size)
  const bits = new Uint8Array(size)
  const bases = new Uint16Array(size)
  const next = frequencies.map(Math.abs)
  let high = size
  frequencies.forEach((frequency, symbol) => { if (frequency === -1) symbols[--high] = symbol })
  const step = (size >> 1) + (size >> 3) + 3
  let at = 0
  frequencies.forEach((frequency, symbol) => {
    for (let i = 0; i < frequency; i++) {
      symbols[at] = symbol
      do at = (at + step) & (size - 1)
      while (at >= high)
    }
  })
  if (at !== 0) throw new ZstdError('an entropy table does not add up')
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] ?? 0
    const count = next[symbol] ?? 1
    next[symbol] = count + 1
    const width = log - highBit(count)
    bits[state] = width
    bases[state] = (count << width) - size
  }
  return { log, symbols, bits, bases }
}

/** A table of which every state stands for the same. */
export const singleFseTable = (symbol: number): FseTable =>
  ({ log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), bases: new Uint16Array(1) })

/** Reads a table's description, and says where it ends. @throws ZstdError */
export function readFseTable (
  bytes: Uint8Array, from: number, to: number, maxLog: number, maxSymbol: number
): { table: FseTable, end: number } {
  let bit = from * 8
  const take = (count: number, consumed = count): number => {
    const i = bit >> 3
    const three = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16)
    bit += consumed
    return (three >> ((bit - consumed) & 7)) & ((1 << count) - 1)
  }
  const log = take(4) + 5
  if (log > maxLog) throw new ZstdError('an entropy table is too large')
  const frequencies: number[] = []
  for (let left = 1 << log; left > 0;) {
    if (frequencies.length > maxSymbol || bit > to * 8) throw new ZstdError('an entropy table does not end')
    const width = highBit(left + 1) + 1
    const low = (1 << (width - 1)) - 1
    const threshold = (1 << width) - 1 - (left + 1)
    let value = take(width, 0)
    if ((value & low) < threshold) {
      bit += width - 1
      value &= low
    } else {
      bit += width
      if (value > low) value -= threshold
    }
    const frequency = value - 1
    left -= Math.abs(frequency)
    frequencies.push(frequency)
    // How many more there are with none, in twos of bits; three says that it goes on.
    for (let zeros = frequency === 0 ? 3 : 0; zeros === 3 && frequencies.length <= maxSymbol;) {
      zeros = take(2)
      for (let i = 0; i < zeros; i++) frequencies.push(0)
    }
    if (left < 0) throw new ZstdError('an entropy table does not add up')
  }
  const end = (bit + 7) >> 3
  if (end > to || frequencies.length > maxSymbol + 1) throw new ZstdError('an entropy table does not end')
  return { table: fseTable(log, frequencies), end }
}

/** Reads a table of literals, and says where it ends. @throws ZstdError */
export function readHuffmanTable (bytes: Uint8Array, from: number, to: number): { table: HuffmanTable, end: number } {
  const header = from < to ? bytes[from] ?? 0 : 0
  const start = from + 1
  const end = start + (header < 128 ? header : (header - 126) >> 1)
  if (end > to) throw new ZstdError('a table of literals does not end')
  if (header < 128) return { table: huffmanTable(compressedWeights(bytes, start, end)), end }
  const weights: number[] = []
  for (let i = 0; i < header - 127; i++) {
    const byte = bytes[start + (i >> 1)] ?? 0
    weights.push(i % 2 === 0 ? byte >> 4 : byte & 15)
  }
  return { table: huffmanTable(weights), end }
}

function compressedWeights (bytes: Uint8Array, from: number, to: number): number[] {
  const { table, end } = readFseTable(bytes, from, to, MAX_WEIGHTS_LOG, MAX_HUFFMAN_BITS + 1)
  const stream = new BackwardBits(bytes, end, to)
  const weights: number[] = []
  // Two states take turns; when there are no bits for one to go on, the other's symbol is the last.
  let state = stream.read(table.log)
  let other = stream.read(table.log)
  while (weights.length < 255) {
    weights.push(table.symbols[state] ?? 0)
    const width = table.bits[state] ?? 0
    if (stream.left < width) {
      weights.push(table.symbols[other] ?? 0)
      return weights
    }
    const next = (table.bases[state] ?? 0) + stream.read(width)
    state = other
    other = next
  }
  throw new ZstdError('a table of literals does not end')
}

/** The last literal's weight is not written: it is what makes the sum a power of two. */
function huffmanTable (weights: number[]): HuffmanTable {
  let sum = 0
  for (const weight of weights) {
    if (weight > MAX_HUFFMAN_BITS) throw new ZstdError('a literal is too long')
    sum += weight === 0 ? 0 : 1 << (weight - 1)
  }
  const maxBits = highBit(sum) + 1
  const rest = (1 << maxBits) - sum
  const isPowerOfTwo = (rest & (rest - 1)) === 0
  if (sum === 0 || maxBits > MAX_HUFFMAN_BITS || weights.length > 255 || !isPowerOfTwo) {
    throw new ZstdError('a table of literals does not add up')
  }
  weights.push(highBit(rest) + 1)

  const size = 1 << maxBits
  const literals = new Uint8Array(size)
  const bits = new Uint8Array(size)
  let at = 0
  for (let weight = 1; weight <= maxBits; weight++) {
    const width = 1 << (weight - 1)
    weights.forEach((each, literal) => {
      if (each !== weight) return
      literals.fill(literal, at, at + width)
      bits.fill(maxBits + 1 - weight, at, at + width)
      at += width
    })
  }
  if (at !== size) throw new ZstdError('a table of literals does not add up')
  return { maxBits, literals, bits }
}
