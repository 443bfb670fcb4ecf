import { type EventReader, scanEvent } from './event-reader.js'
import { ByteBuffer } from '../decoders/byte-buffer.js'
import type { JsonMembers } from '../decoders/json-members.js'
import {
  CR, LF, MAX_LINE_BYTES, NEWLINE, afterBom, afterLineEnd, dataStart, isData, kindOfLine, lineEnd
} from '../decoders/sse-lines.js'

/** Reads a stream whose bytes all go on as they come, except the line that ends it. */
export class WatchedStream {
  readonly #reader: EventReader
  /** The line that ends the stream, and all that came behind it. */
  final: Buffer | null = null
  /** The line whose end has not come. */
  readonly #line = new ByteBuffer()
  /** It is too long to be gathered, and was read up to here. */
  #isLongLine = false
  /** An object whose end has not come: it goes on in the next data line. */
  #object: JsonMembers | null = null
  #isFirstLine = true
  /** The chunk before ended with this CR. */
  #endsInCr = false
  #isBetweenLines = false

  constructor (reader: EventReader) {
    this.#reader = reader
  }

  /** @returns the chunk; what of it stands before the final line; or null for nothing */
  push (chunk: Buffer): Buffer | null {
    if (this.#isBetweenLines && isUnremarkable(chunk)) return chunk
    const passed = this.#readLines(chunk)
    this.#isBetweenLines = this.#reader.knowsFirst && !this.#endsInCr &&
      this.#line.sizeBytes === 0 && !this.#isLongLine && this.#object === null
    return passed
  }

  #readLines (chunk: Buffer): Buffer | null {
    let from = this.#endsInCr && chunk[0] === LF ? 1 : 0
    if (chunk.length > 0) this.#endsInCr = false
    for (let end = lineEnd(chunk, from); end !== -1; end = lineEnd(chunk, from)) {
      const next = afterLineEnd(chunk, end)
      if (this.#endLine(chunk, from, end, chunk[next])) {
        this.final = Buffer.from(chunk.subarray(from))
        return from === 0 ? null : chunk.subarray(0, from)
      }
      this.#endsInCr = next === chunk.length && chunk[next - 1] !== LF
      from = next
    }
    if (from < chunk.length) this.#beginLine(chunk.subarray(from))
    return chunk
  }

  /** The stream is over. @returns null: all of it has gone on */
  finish (): null {
    if (this.#line.sizeBytes > 0) {
      const line = this.#takeLine()
      this.#wholeLine(line, 0, line.length, undefined)
    }
    return null
  }

  #beginLine (part: Buffer): void {
    if (this.#isLongLine) {
      this.#object?.feed(part)
      return
    }
    this.#line.push(Buffer.from(part))
    if (this.#line.sizeBytes <= MAX_LINE_BYTES) return
    const line = this.#takeLine()
    const from = this.#afterBom(line, 0)
    this.#isLongLine = true
    if (!isData(line, from)) {
      this.#object = null
      return
    }
    const value = line.subarray(dataStart(line, from, line.length))
    this.#feedLine(value, kindOfLine(line, from, line.length) === 'object')
  }

  /** @returns whether the line ends the stream */
  #endLine (chunk: Buffer, from: number, end: number, nextByte: number | undefined): boolean {
    if (this.#isLongLine) {
      this.#isLongLine = false
      this.#object?.feed(chunk.subarray(from, end))
      return this.#endObject()
    }
    if (this.#line.sizeBytes === 0) return this.#wholeLine(chunk, from, end, nextByte)
    this.#line.push(Buffer.from(chunk.subarray(from, end)))
    const line = this.#takeLine()
    return this.#wholeLine(line, 0, line.length, nextByte)
  }

  /** @param nextByte what follows the line's end, if that came already */
  #wholeLine (buffer: Buffer, lineFrom: number, end: number, nextByte: number | undefined): boolean {
    const from = this.#afterBom(buffer, lineFrom)
    const kind = kindOfLine(buffer, from, end)
    if (kind === 'done') return true
    if (kind === 'blank') this.#object = null
    if (!isData(buffer, from) || kind === 'blank') return false
    // A blank line follows: its object does not go on.
    const isWhole = this.#object === null && this.#reader.knowsFirst && (nextByte === LF || nextByte === CR)
    if (isWhole && !saysSomething(buffer.toString('latin1', from, end))) return false
    this.#feedLine(buffer.subarray(dataStart(buffer, from, end), end), kind === 'object')
    return this.#endObject()
  }

  #feedLine (value: Buffer, beginsObject: boolean): void {
    if (this.#object !== null) this.#object.feed(NEWLINE)
    else if (beginsObject) this.#object = scanEvent()
    this.#object?.feed(value)
  }

  #endObject (): boolean {
    const object = this.#object
    if (object?.complete !== true) return false
    this.#object = null
    return this.#reader.read(object)
  }

  #afterBom (buffer: Buffer, from: number): number {
    if (!this.#isFirstLine) return from
    this.#isFirstLine = false
    return afterBom(buffer, from)
  }

  #takeLine (): Buffer {
    const line = this.#line.toBuffer()
    this.#line.clear()
    return line
  }
}

/** Whole events with nothing to read in them: by far most chunks. (A string is searched much faster than a buffer.) */
function isUnremarkable (chunk: Buffer): boolean {
  const { length } = chunk
  const before = chunk[length - 2]
  if (chunk[length - 1] !== LF || !(before === LF || (before === CR && chunk[length - 3] === LF))) return false
  return !saysSomething(chunk.toString('latin1'))
}

/**
 * Whether there may be usage, an error or the stream's end in it. (Quotes are everywhere: a word without its first
 * is found faster.)
 */
function saysSomething (text: string): boolean {
  if (text.includes('[DONE]') || text.includes('rror"')) return true
  if (text.includes('usage"') && /"usage"[ :]*[^n :]/.test(text)) return true
  if (!text.includes('ponse.')) return false
  return text.includes('.completed"') || text.includes('.failed"') || text.includes('.incomplete"')
}
