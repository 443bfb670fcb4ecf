import { type EventReader, scanEvent } from './event-reader.js'
import { ByteBuffer } from '../decoders/byte-buffer.js'
import { HeldFields, isComment } from './held-fields.js'
import { OpenObject } from './open-object.js'
import { PassedBytes } from './passed-bytes.js'
import { CR, LF, MAX_LINE_BYTES, afterBom, afterLineEnd, dataStart, isData, kindOfLine, lineEnd } from '../decoders/sse-lines.js'
import { afterComma, ordinaryTraces, usageTrace, without } from './usage-trace.js'

/** Where a line went: to the caller, nowhere, or among what waits for lines that decide about it. */
type Way = 'on' | 'dropped' | 'waits'

/**
 * Takes out of a stream what the injected `stream_options.include_usage` caused: null members, and the extra chunk that
 * carries the usage. What is decided goes on at once: all lines but these.
 *
 * - a line whose end has not come
 * - an object that goes on in the next data line: `OpenObject`
 * - fields (`event`, `id`, `retry`) in front of a data line: they go where it goes
 *
 * With the extra chunk's line goes its separator, the blank lines behind it, unless the event has other data.
 * Comments stay: they are the server's, and keep the connection alive.
 */
export class StrippedStream {
  readonly #reader: EventReader
  readonly #out = new PassedBytes()
  /** The line that ends the stream, and all that came behind it. */
  final: Buffer | null = null
  /** The line whose end has not come. */
  readonly #line = new ByteBuffer()
  /** Its beginning was too long to be gathered: what comes of it goes to the object, or on. */
  #longLine: 'no' | 'object' | 'text' = 'no'
  #object: OpenObject | null = null
  readonly #fields = new HeldFields()
  /** What became of the data lines since the last blank line. */
  #data: 'none' | 'kept' | 'dropped' = 'none'
  /** Since the event that was dropped, nothing but blank lines came. */
  #isBehindDropped = false
  /** A CR came last: where its line went. An LF that follows is a part of it. */
  #crWent: Way | null = null
  #isFirstLine = true
  /** Nothing waits, and nothing is known of the next line: ordinary events can be cut as they are. */
  #isBetweenEvents = false

  constructor (reader: EventReader) {
    this.#reader = reader
  }

  /** @returns what may go on, or null */
  push (chunk: Buffer): Buffer | null {
    if (this.#isBetweenEvents) {
      const cuts = ordinaryTraces(chunk.toString('latin1'))
      if (cuts !== null) return without(chunk, cuts, chunk.length)
    }
    const passed = this.#readLines(chunk)
    this.#isBetweenEvents = this.#reader.knowsFirst &&
      this.#data === 'none' && !this.#isBehindDropped && this.#crWent === null &&
      this.#line.sizeBytes === 0 && this.#longLine === 'no' && this.#object === null && this.#fields.isEmpty
    return passed
  }

  #readLines (chunk: Buffer): Buffer | null {
    let from = this.#takeLf(chunk)
    for (let end = lineEnd(chunk, from); end !== -1; end = lineEnd(chunk, from)) {
      const next = afterLineEnd(chunk, end)
      const way = this.#endLine(chunk, from, end, next)
      if (this.final !== null) {
        this.final = Buffer.concat([this.final, chunk.subarray(next)])
        return this.#out.take()
      }
      if (next === chunk.length && chunk[next - 1] === CR) this.#crWent = way
      from = next
    }
    if (from < chunk.length) this.#beginLine(chunk.subarray(from))
    return this.#out.take()
  }

  /** The stream is over. @returns what was still waiting */
  finish (): Buffer | null {
    if (this.#line.sizeBytes > 0) {
      const line = this.#takeLine()
      this.#wholeLine(line, 0, line.length, line.length)
    }
    this.#passObject()
    this.#out.pushAll(this.#data === 'dropped' ? this.#fields.takeComments() : this.#fields.takeAll())
    if (this.final !== null) this.#out.push(this.final)
    return this.#out.take()
  }

  /** @returns where the next line begins */
  #takeLf (chunk: Buffer): number {
    const way = this.#crWent
    if (way === null || chunk.length === 0) return 0
    this.#crWent = null
    if (chunk[0] !== LF) return 0
    const lf = chunk.subarray(0, 1)
    if (way === 'on') this.#out.push(lf)
    else if (way === 'waits') this.#object === null ? this.#fields.addToLast(lf) : this.#object.other(lf)
    return 1
  }

  #endLine (chunk: Buffer, from: number, end: number, next: number): Way {
    if (this.#longLine === 'text') {
      this.#longLine = 'no'
      this.#out.push(chunk.subarray(from, next))
      return 'on'
    }
    if (this.#longLine === 'object' && this.#object !== null) {
      this.#longLine = 'no'
      this.#object.value(chunk.subarray(from, end))
      this.#object.other(chunk.subarray(end, next))
      return this.#afterLineOf(this.#object)
    }
    if (this.#line.sizeBytes === 0) return this.#wholeLine(chunk, from, end, next)
    this.#line.push(Buffer.from(chunk.subarray(from, next)))
    const line = this.#takeLine()
    return this.#wholeLine(line, 0, line.length - (next - end), line.length)
  }

  #beginLine (part: Buffer): void {
    if (this.#longLine === 'text') this.#out.push(part)
    else if (this.#longLine === 'object' && this.#object !== null) {
      this.#object.value(part)
      this.#passDecided(this.#object)
    } else {
      this.#line.push(Buffer.from(part))
      if (this.#line.sizeBytes > MAX_LINE_BYTES) this.#beginLongLine(this.#takeLine())
    }
  }

  #beginLongLine (part: Buffer): void {
    const from = this.#passBom(part)
    const goesOn = this.#object !== null && isData(part, from)
    const isObject = goesOn || kindOfLine(part, from, part.length) === 'object'
    this.#longLine = isObject ? 'object' : 'text'
    if (isObject) {
      const start = dataStart(part, from, part.length)
      this.#object ??= this.#openObject()
      this.#object.prefix(part.subarray(from, start))
      this.#object.value(part.subarray(start))
      this.#passDecided(this.#object)
      return
    }
    this.#passObject()
    this.#out.pushAll(this.#fields.takeAll())
    this.#out.push(part.subarray(from))
    if (isData(part, from)) this.#data = 'kept'
    this.#isBehindDropped = false
  }

  /** @param next behind the line's end */
  #wholeLine (buffer: Buffer, lineFrom: number, end: number, next: number): Way {
    const from = this.#passBom(buffer, lineFrom)
    const line = buffer.subarray(from, next)
    const kind = kindOfLine(buffer, from, end)
    if (this.#object !== null) {
      if (kind !== 'blank' && kind !== 'done') return this.#goOn(this.#object, buffer, from, end, next, kind === 'comment')
      this.#passObject() // It has no end: no object that is known here.
    }
    switch (kind) {
      case 'blank': return this.#endEvent(line)
      case 'object': return this.#endObject(buffer, from, end, next)
      case 'done':
        this.#out.pushAll(this.#fields.takeAll())
        this.final = Buffer.from(line)
        return 'on'
      case 'field':
      case 'empty':
        return this.#waitForData(line)
      case 'comment':
        // In front of it are fields that wait: it keeps its place behind them.
        if (!this.#fields.isEmpty) return this.#waitForData(line)
        break
      case 'text':
        this.#data = 'kept'
        break
      case 'unknown':
    }
    this.#out.pushAll(this.#fields.takeAll())
    this.#isBehindDropped = false
    this.#out.push(line)
    return 'on'
  }

  #waitForData (line: Buffer): Way {
    this.#fields.push(line)
    if (this.#fields.sizeBytes <= MAX_LINE_BYTES) return 'waits'
    this.#out.pushAll(this.#fields.takeAll())
    return 'on'
  }

  #endEvent (blankLine: Buffer): Way {
    const isDropped = this.#data === 'dropped' ||
      (this.#data === 'none' && this.#fields.isEmpty && this.#isBehindDropped)
    if (isDropped) this.#out.pushAll(this.#fields.takeComments())
    else this.#out.pushAll(this.#fields.takeAll())
    this.#isBehindDropped = isDropped
    this.#data = 'none'
    if (!isDropped) this.#out.push(blankLine)
    return isDropped ? 'dropped' : 'on'
  }

  /** A data line on which an object begins, and mostly ends. */
  #endObject (buffer: Buffer, from: number, end: number, next: number): Way {
    const start = dataStart(buffer, from, end)
    const json = buffer.subarray(start, end)
    const scan = scanEvent()
    scan.feed(json)
    if (!scan.complete) {
      this.#object = this.#openObject()
      return this.#goOn(this.#object, buffer, from, end, next, false)
    }
    const isFinal = this.#reader.read(scan)
    const trace = usageTrace(scan)
    if (trace === 'object') return this.#dropData()
    const line = buffer.subarray(from, next)
    const offset = start - from
    const cutEnd = trace?.isFirst === true ? afterComma(json, trace.to) : trace?.to ?? 0
    const cuts = trace === null ? [] : [offset + trace.from, offset + cutEnd]
    this.#keepData(without(line, cuts, line.length), isFinal)
    return 'on'
  }

  #openObject (): OpenObject {
    const object = new OpenObject()
    for (const line of this.#fields.takeAll()) object.line(line, isComment(line))
    return object
  }

  /** A line behind the first of an object that spans several. */
  #goOn (object: OpenObject, buffer: Buffer, from: number, end: number, next: number, isComment: boolean): Way {
    if (!isData(buffer, from)) {
      object.line(buffer.subarray(from, next), isComment)
      return this.#afterLineOf(object)
    }
    const start = dataStart(buffer, from, end)
    object.prefix(buffer.subarray(from, start))
    object.value(buffer.subarray(start, end))
    object.other(buffer.subarray(end, next))
    return this.#afterLineOf(object)
  }

  #afterLineOf (object: OpenObject): Way {
    if (!object.scan.complete) {
      this.#passDecided(object)
      return 'waits'
    }
    this.#object = null
    const isFinal = this.#reader.read(object.scan)
    if (!object.isExtra) {
      this.#keepData(object.takeAll(), isFinal)
      return 'on'
    }
    this.#out.pushAll(object.comments)
    return this.#dropData()
  }

  #keepData (lines: Buffer | null, isFinal: boolean): void {
    this.#out.pushAll(this.#fields.takeAll())
    this.#data = 'kept'
    this.#isBehindDropped = false
    if (isFinal) this.final = Buffer.from(lines ?? [])
    else if (lines !== null) this.#out.push(lines)
  }

  #dropData (): Way {
    this.#out.pushAll(this.#fields.takeComments())
    if (this.#data !== 'kept') this.#data = 'dropped'
    return 'dropped'
  }

  #passDecided (object: OpenObject): void {
    const decided = object.takeDecided()
    if (decided !== null) this.#out.push(decided)
  }

  #passObject (): void {
    const rest = this.#object?.takeAll() ?? null
    if (this.#object !== null) this.#keepData(rest, false)
    this.#object = null
    this.#longLine = 'no'
  }

  #passBom (buffer: Buffer, from = 0): number {
    if (!this.#isFirstLine) return from
    this.#isFirstLine = false
    const start = afterBom(buffer, from)
    if (start > from) this.#out.push(buffer.subarray(from, start))
    return start
  }

  #takeLine (): Buffer {
    const line = this.#line.toBuffer()
    this.#line.clear()
    return line
  }
}
