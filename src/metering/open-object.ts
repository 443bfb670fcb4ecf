import { scanEvent } from './event-reader.js'
import { ByteBuffer } from '../decoders/byte-buffer.js'
import { MAX_LINE_BYTES, NEWLINE } from '../decoders/sse-lines.js'
import { afterComma, usageTrace, without } from './usage-trace.js'

/** A piece of a data line's value: where it stands in the object's text, and in the bytes that are held back. */
interface Piece {
  readonly textAt: number
  at: number
  size: number
  /** Its line follows that of the piece before, with no other line between. */
  readonly adjacent: boolean
}

/**
 * An object of a stream that did not end with its first line: it spans several data lines, or one line that is longer
 * than `MAX_LINE_BYTES`. Its bytes are held back until it is whole, since all of it may have to be cut. Past that limit
 * they go on, less what is not decided: then only a null member can still be cut.
 */
export class OpenObject {
  readonly scan = scanEvent()
  readonly #bytes = new ByteBuffer()
  #pieces: Piece[] = []
  #textBytes = 0
  /** A line other than data came since the last data line. */
  #interrupted = false
  #comments: Buffer[] = []
  #goesOn = false
  /** It is the extra chunk, and too long to be gathered: its bytes are dropped as they come. */
  #isDropped = false
  #isCut = false

  /** Bytes that stand before the object's first value, of its line or of fields before it. */
  prefix (bytes: Buffer): void {
    if (this.#textBytes > 0) {
      this.scan.feed(NEWLINE)
      this.#textBytes++
    }
    if (this.#isDropped) return
    this.other(bytes)
    this.#pieces.push({ textAt: this.#textBytes, at: this.#bytes.sizeBytes, size: 0, adjacent: !this.#interrupted })
    this.#interrupted = false
  }

  /** A part of a data line's value. */
  value (part: Buffer): void {
    this.scan.feed(part)
    this.#textBytes += part.length
    const piece = this.#pieces.at(-1)
    if (piece === undefined || this.#isDropped) return
    piece.size += part.length
    this.#bytes.push(Buffer.from(part))
  }

  /** Bytes that are no part of the object: a line's end, or a prefix. */
  other (bytes: Buffer): void {
    if (bytes.length > 0 && !this.#isDropped) this.#bytes.push(Buffer.from(bytes))
  }

  /** A line of another kind in the middle of the object. */
  line (bytes: Buffer, isComment: boolean): void {
    this.other(bytes)
    this.#interrupted = true
    if (isComment) this.#comments.push(Buffer.from(bytes))
  }

  /** Nothing of the object went on: it can still be dropped whole. */
  get isExtra (): boolean { return this.#isDropped || (!this.#goesOn && usageTrace(this.scan) === 'object') }
  /** What stays of an object that is dropped: a comment is the server's, and keeps the connection alive. */
  get comments (): readonly Buffer[] { return this.#comments }

  /** What can go on already: nothing of an object of ordinary size. */
  takeDecided (): Buffer | null {
    if (!this.#goesOn && !this.#isDropped) {
      if (this.#bytes.sizeBytes <= MAX_LINE_BYTES) return null
      this.#isDropped = usageTrace(this.scan) === 'object'
      this.#goesOn = !this.#isDropped
      if (this.#isDropped) this.#bytes.clear()
    }
    if (this.#isDropped || this.#bytes.sizeBytes === 0) return null
    const { unfinished } = this.scan
    const isOpen = unfinished !== null && (unfinished.key === null || unfinished.key === 'usage')
    // A key or a value of `usage` of this length is none of OpenAI's.
    const mayWait = isOpen && this.#bytes.sizeBytes <= 2 * MAX_LINE_BYTES
    return mayWait ? this.#takeTo(this.#offsetOf(unfinished.start)) : this.takeAll()
  }

  /** All that is held back, less the member that the injected option caused. */
  takeAll (): Buffer | null {
    return this.#takeTo(this.#bytes.sizeBytes)
  }

  #takeTo (end: number): Buffer | null {
    if (end <= 0) return null
    const all = this.#bytes.toBuffer()
    const cuts = this.#cuts(all)
    const [cutStart = end] = cuts
    if ((cuts.at(-1) ?? 0) > end) return this.#takeTo(cutStart) // The rest of what is cut has not come.
    this.#isCut ||= cuts.length > 0
    this.#bytes.clear()
    if (end < all.length) this.#bytes.push(all.subarray(end))
    this.#pieces = this.#pieces.filter(({ at, size }, i) => at + size > end || i === this.#pieces.length - 1)
    // Of a piece that went on in part, the beginning stands before the bytes that are held.
    for (const piece of this.#pieces) piece.at -= end
    return without(all, cuts, end)
  }

  #offsetOf (textAt: number): number {
    // There may be hundreds of thousands, and this is asked at each line.
    let low = 0
    for (let high = this.#pieces.length; low < high;) {
      const middle = (low + high) >>> 1
      if ((this.#pieces[middle]?.textAt ?? Infinity) <= textAt) low = middle + 1
      else high = middle
    }
    const piece = this.#pieces[low - 1]
    return piece === undefined ? 0 : Math.max(0, piece.at + textAt - piece.textAt)
  }

  /** The null member's bytes as pairs of offsets into those that are held back. */
  #cuts (all: Buffer): number[] {
    const trace = this.#isCut ? null : usageTrace(this.scan)
    if (trace === null || trace === 'object') return []
    const first = this.#pieces[0]
    if (first === undefined || first.at + trace.from - first.textAt < 0) return [] // It has gone on.
    const to = trace.isFirst ? this.#afterComma(all, trace.to) : trace.to
    const cuts: number[] = []
    for (const [i, { textAt, at, size }] of this.#pieces.entries()) {
      const from = Math.max(trace.from, textAt)
      const end = Math.min(to, textAt + size)
      if (from < end) cuts.push(at + from - textAt, at + end - textAt)
      const next = this.#pieces[i + 1]
      // The line break inside of what is cut goes with it, and so does the next line's `data: `.
      if (next?.adjacent === true && trace.from <= textAt + size && to > textAt + size) cuts.push(at + size, next.at)
    }
    return cuts
  }

  #afterComma (all: Buffer, to: number): number {
    const text = Buffer.concat(this.#pieces.flatMap(({ at, size }, i) => {
      const value = all.subarray(Math.max(0, at), at + size)
      return i === 0 ? [value] : [NEWLINE, value]
    }))
    const base = this.#pieces[0]?.textAt ?? 0
    return afterComma(text, to - base) + base
  }
}
