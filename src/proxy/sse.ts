import { JsonMembers } from './json-members.js'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const DATA = Buffer.from('data:')
const DONE = Buffer.from('[DONE]')
const USAGE = Buffer.from('"usage"')
const ERROR = Buffer.from('"error"')
const NULL_MEMBER = Buffer.from(',"usage":null')
const FAILED = Buffer.from('"response.failed"')
const INCOMPLETE = Buffer.from('"response.incomplete"')

/** An event longer than this is passed on unread: memory per call stays bounded. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024
/** Of the first event, what is kept to read the model from. */
const MAX_FIRST_EVENT_BYTES = 64 * 1024

/** What a stream said of itself, as far as it was read. */
export interface StreamFacts {
  /** OpenAI's `usage` object. */
  usage: unknown
  model: string | null
  /** The tier that served the call. */
  serviceTier: string | null
  /** OpenAI's `error` object, from an error event or a failed response. */
  error: unknown
}

/**
 * Reads a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) on its way to
 * the caller. Chunk borders may fall anywhere. Only events that carry usage or an error are parsed.
 *
 * `watch`: every byte goes on as it came, at once.
 *
 * `strip`: the gateway asked for the usage, so what the question caused is taken out again: the extra chunk, and the
 * `"usage":null` member of every other one. An event goes on when it is whole.
 *
 * Both hold back the event that ends the stream (`[DONE]`, or `response.completed` and its kin): a client that has
 * read it takes the answer for complete, so the call's record comes first. `push` returns what may go on; once `ended`
 * is true, the final event and all behind it are in `takeHeld`.
 */
export class SseTee {
  readonly #strip: boolean
  readonly #facts: StreamFacts = { usage: undefined, model: null, serviceTier: null, error: undefined }
  #firstData: Buffer | null = null
  /** `watch`: the unfinished line; `strip`: the unfinished event. */
  #carry: Buffer[] = []
  #carryBytes = 0
  #overlong = false
  #held: Buffer | null = null

  constructor (mode: 'watch' | 'strip') {
    this.#strip = mode === 'strip'
  }

  /** The final event was seen. From here on chunks pass unread, behind `takeHeld`. */
  get ended (): boolean { return this.#held !== null }

  takeHeld (): Buffer {
    const held = this.#held ?? Buffer.alloc(0)
    this.#held = Buffer.alloc(0)
    return held
  }

  facts (): StreamFacts {
    if (this.#facts.model === null && this.#firstData !== null) this.#readLabels(parse(this.#firstData))
    return this.#facts
  }

  /** @returns what may go to the caller now: the chunk itself, a part of it, or null for nothing */
  push (chunk: Buffer): Buffer | null {
    if (this.ended) return chunk
    return this.#strip ? this.#pushStripping(chunk) : this.#pushWatching(chunk)
  }

  /** The stream is over without a final event. @returns what was still waiting for the rest of its event */
  finish (): Buffer | null {
    if (this.ended || this.#carryBytes === 0) return null
    const rest = this.#takeCarry()
    if (!this.#strip) {
      this.#readLine(rest, 0, rest.length)
      return null
    }
    const cuts: number[] = []
    this.#readEvent(rest, 0, rest.length, cuts)
    return without(rest, cuts, rest.length)
  }

  #pushWatching (chunk: Buffer): Buffer | null {
    if (this.#carryBytes === 0 && this.#isUnremarkable(chunk)) return chunk
    let from = 0
    for (let end = lineEnd(chunk, 0); end !== -1; end = lineEnd(chunk, from)) {
      let isFinal: boolean
      if (this.#carryBytes > 0) {
        this.#addCarry(chunk.subarray(0, end))
        const line = this.#takeCarry()
        isFinal = this.#readLine(line, 0, line.length)
      } else {
        isFinal = this.#readLine(chunk, from, end)
      }
      if (isFinal) {
        this.#held = Buffer.from(chunk.subarray(from))
        return from === 0 ? null : chunk.subarray(0, from)
      }
      from = afterLineEnd(chunk, end)
    }
    if (from < chunk.length) this.#addCarry(chunk.subarray(from))
    return chunk
  }

  /** Whole lines with nothing to read in them: by far most chunks. */
  #isUnremarkable (chunk: Buffer): boolean {
    return chunk[chunk.length - 1] === LF && this.#firstData !== null &&
      !chunk.includes(USAGE) && !chunk.includes(DONE) && !chunk.includes(ERROR)
  }

  #pushStripping (chunk: Buffer): Buffer | null {
    if (this.#overlong) return chunk
    let buffer = chunk
    if (this.#carryBytes > 0) {
      this.#addCarry(chunk)
      if (this.#carryBytes > MAX_EVENT_BYTES) {
        this.#overlong = true
        return this.#takeCarry()
      }
      // An event ends with a line end: without one there is nothing new to find.
      if (!chunk.includes(LF) && !chunk.includes(CR)) return null
      buffer = this.#takeCarry()
    }
    const cuts: number[] = []
    let eventStart = 0
    let lineStart = 0
    for (let end = wholeLineEnd(buffer, 0); end !== -1; end = wholeLineEnd(buffer, lineStart)) {
      const next = afterLineEnd(buffer, end)
      if (end === lineStart) {
        if (this.#readEvent(buffer, eventStart, next, cuts)) {
          this.#held = Buffer.from(buffer.subarray(eventStart))
          return without(buffer, cuts, eventStart)
        }
        eventStart = next
      }
      lineStart = next
    }
    if (eventStart < buffer.length) this.#addCarry(buffer.subarray(eventStart))
    return without(buffer, cuts, eventStart)
  }

  /** Reads one event's lines, noting what of it is to be cut out. @returns whether it ends the stream */
  #readEvent (buffer: Buffer, start: number, end: number, cuts: number[]): boolean {
    let from = start
    while (from < end) {
      let to = lineEnd(buffer, from)
      if (to === -1 || to > end) to = end
      if (this.#readLine(buffer, from, to)) return true
      if (isData(buffer, from) && this.#cutUsage(buffer, from, to, start, end, cuts)) return false
      from = to === end ? end : afterLineEnd(buffer, to)
    }
    return false
  }

  /** Notes the cut of a data line's `usage`. @returns whether the whole event goes */
  #cutUsage (buffer: Buffer, from: number, to: number, eventStart: number, eventEnd: number, cuts: number[]): boolean {
    const at = buffer.subarray(from, to).indexOf(NULL_MEMBER)
    if (at !== -1 && closesObjectAfter(buffer, from + at + NULL_MEMBER.length, to)) {
      cuts.push(from + at, from + at + NULL_MEMBER.length)
      return false
    }
    const line = buffer.subarray(from, to)
    if (!line.includes(USAGE)) return false
    const json = dataOf(line)
    const members = new JsonMembers(new Set(['usage', 'choices']), MAX_EVENT_BYTES)
    members.feed(json)
    const usage = members.get('usage')
    if (!members.complete || usage === undefined) return false
    const choices = members.value('choices')
    if (usage.text !== 'null' && Array.isArray(choices) && choices.length === 0) {
      cuts.push(eventStart, eventEnd)
      return true
    }
    const offset = to - json.length
    const isFirst = usage.start === usage.keyStart
    cuts.push(offset + usage.start, offset + (isFirst ? afterComma(json, usage.valueEnd) : usage.valueEnd))
    return false
  }

  /** Reads one line, without its end. @returns whether it ends the stream */
  #readLine (buffer: Buffer, from: number, to: number): boolean {
    if (!isData(buffer, from)) return false
    const line = buffer.subarray(from, to)
    const data = dataOf(line)
    if (data.length === DONE.length && data.equals(DONE)) return true
    this.#firstData ??= Buffer.from(data.subarray(0, MAX_FIRST_EVENT_BYTES))
    if (!hasValue(data, USAGE) && !hasValue(data, ERROR) && !data.includes(FAILED) && !data.includes(INCOMPLETE)) return false
    const event = parse(data)
    if (event === null) return false
    return this.#readEventObject(event)
  }

  #readEventObject (event: Record<string, unknown>): boolean {
    const isFinalResponse = event.type === 'response.completed' || event.type === 'response.incomplete' || event.type === 'response.failed'
    const source = isObject(event.response) ? event.response : event
    if (isObject(source.usage)) {
      this.#facts.usage = source.usage
      this.#readLabels(event)
    }
    if (isObject(source.error)) this.#facts.error = source.error
    else if (event.type === 'error') this.#facts.error = event
    return isFinalResponse || isObject(event.error) || event.type === 'error'
  }

  #readLabels (event: Record<string, unknown> | null): void {
    if (event === null) return
    const source = isObject(event.response) ? event.response : event
    if (typeof source.model === 'string') this.#facts.model = source.model
    if (typeof source.service_tier === 'string') this.#facts.serviceTier = source.service_tier
  }

  #addCarry (part: Buffer): void {
    if (this.#overlong) return
    this.#carryBytes += part.length
    if (!this.#strip && this.#carryBytes > MAX_EVENT_BYTES) {
      this.#carry = [Buffer.alloc(0)] // The line cannot be read any more; its end still has to be found.
      return
    }
    this.#carry.push(Buffer.from(part))
  }

  #takeCarry (): Buffer {
    const [only] = this.#carry
    const all = this.#carry.length === 1 && only !== undefined ? only : Buffer.concat(this.#carry)
    this.#carry = []
    this.#carryBytes = 0
    return all
  }
}

/** The end of the line that begins at `from`, the index of its LF or CR; -1 if it is not there yet. */
function lineEnd (buffer: Buffer, from: number): number {
  const lf = buffer.indexOf(LF, from)
  const cr = buffer.subarray(from, lf === -1 ? buffer.length : lf).indexOf(CR)
  return cr === -1 ? lf : from + cr
}

/** As `lineEnd`, but a CR that is the last byte so far waits: an LF may follow that belongs to it. */
function wholeLineEnd (buffer: Buffer, from: number): number {
  const end = lineEnd(buffer, from)
  return end === buffer.length - 1 && buffer[end] === CR ? -1 : end
}

function afterLineEnd (buffer: Buffer, end: number): number {
  return buffer[end] === CR && buffer[end + 1] === LF ? end + 2 : end + 1
}

function isData (buffer: Buffer, from: number): boolean {
  return buffer[from] === DATA[0] && buffer.subarray(from, from + DATA.length).equals(DATA)
}

/** A data line's value: what follows the colon and, if there is one, the space behind it. */
function dataOf (line: Buffer): Buffer {
  return line.subarray(line[DATA.length] === SPACE ? DATA.length + 1 : DATA.length)
}

/** Whether the member occurs with a value other than null. Inside a JSON string its quotes would be escaped. */
function hasValue (data: Buffer, key: Buffer): boolean {
  for (let at = data.indexOf(key); at !== -1; at = data.indexOf(key, at + key.length)) {
    let i = at + key.length
    while (data[i] === SPACE || data[i] === 0x3a) i++
    if (data[i] !== 0x6e) return true // 'n' of null
  }
  return false
}

/**
 * Whether the object that ends the line closes right after `at`, with nothing but OpenAI's `obfuscation` between: then
 * a member that ends at `at` is a top-level one for certain, whatever stands before it.
 */
function closesObjectAfter (buffer: Buffer, at: number, to: number): boolean {
  if (at === to - 1) return buffer[at] === 0x7d
  return to - at < 100 && /^,"obfuscation":"[^"\\]*"}$/.test(buffer.toString('latin1', at, to))
}

function afterComma (json: Buffer, from: number): number {
  let i = from
  while (json[i] === SPACE) i++
  if (json[i] !== 0x2c) return from
  i++
  while (json[i] === SPACE) i++
  return i
}

/** The bytes before `end`, less the ranges cut out (pairs of offsets, in order). Null if nothing is left. */
function without (buffer: Buffer, cuts: readonly number[], end: number): Buffer | null {
  if (end === 0) return null
  if (cuts.length === 0) return end === buffer.length ? buffer : buffer.subarray(0, end)
  const out = Buffer.allocUnsafe(end)
  let size = 0
  let from = 0
  for (let i = 0; i < cuts.length; i += 2) {
    size += buffer.copy(out, size, from, cuts[i])
    from = cuts[i + 1] ?? end
  }
  size += buffer.copy(out, size, from, end)
  return size === 0 ? null : out.subarray(0, size)
}

function parse (data: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(data.toString())
    return isObject(value) ? value : null
  } catch {
    return null // Not an event that we know: it passes unread.
  }
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
