import { GatheredBytes } from './gathered-bytes.js'
import { CR, LF, SPACE, afterLineEnd, bringsBlankLine, dataOf, isData, lineEnd } from './sse-lines.js'
import { ordinaryTraces, usageTrace } from './usage-trace.js'

const DONE = Buffer.from('[DONE]')
const USAGE = Buffer.from('"usage"')
const ERROR = Buffer.from('"error"')
const COMPLETED = Buffer.from('"response.completed"')
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
  /** OpenAI's `error` object, from an error event or a failed response; other upstreams may have a string there. */
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
  readonly #carry = new GatheredBytes()
  /** How long it is, kept or not. */
  #carryBytes = 0
  #carryEnd: number | undefined
  #overlong = false
  /** `strip`: what came last is the CR behind an event that was dropped; an LF that follows is a part of it. */
  #dropsLf = false
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
    const facts = this.#facts
    if (this.#firstData === null || (facts.model !== null && facts.serviceTier !== null)) return facts
    const first = labelsOf(parse(this.#firstData))
    return { ...facts, model: facts.model ?? first.model, serviceTier: facts.serviceTier ?? first.serviceTier }
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

  /** Whole lines with nothing to read in them: by far most chunks. (A string is searched much faster than a buffer.) */
  #isUnremarkable (chunk: Buffer): boolean {
    if (chunk[chunk.length - 1] !== LF || this.#firstData === null) return false
    const text = chunk.toString('latin1')
    return !text.includes('[DONE]') && !text.includes('rror"') && !(text.includes('usage"') && /"usage"[ :]*[^n :]/.test(text))
  }

  #pushStripping (chunk: Buffer): Buffer | null {
    if (this.#overlong || chunk.length === 0) return chunk
    if (this.#carryBytes === 0 && !this.#dropsLf && this.#firstData !== null) {
      const cuts = ordinaryTraces(chunk.toString('latin1'))
      if (cuts !== null) return without(chunk, cuts, chunk.length)
    }
    let buffer = this.#dropsLf && chunk[0] === LF ? chunk.subarray(1) : chunk
    this.#dropsLf = false
    if (this.#carryBytes > 0) {
      // Looked through only once it is whole: an event of many lines in many chunks would be each time.
      const isWhole = bringsBlankLine(this.#carryEnd, buffer)
      this.#addCarry(buffer)
      if (this.#carryBytes > MAX_EVENT_BYTES) {
        this.#overlong = true
        return this.#takeCarry()
      }
      if (!isWhole) return null
      buffer = this.#takeCarry()
    }
    const cuts: number[] = []
    let eventStart = 0
    let lineStart = 0
    for (let end = lineEnd(buffer, 0); end !== -1; end = lineEnd(buffer, lineStart)) {
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
    this.#dropsLf = cuts.at(-1) === buffer.length && buffer[buffer.length - 1] === CR
    return without(buffer, cuts, eventStart)
  }

  /** Reads one event's lines, noting what of it is to be cut out. @returns whether it ends the stream */
  #readEvent (buffer: Buffer, start: number, end: number, cuts: number[]): boolean {
    const cutsBefore = cuts.length
    let from = start
    while (from < end) {
      let to = lineEnd(buffer, from)
      if (to === -1 || to > end) to = end
      if (this.#readLine(buffer, from, to)) {
        cuts.length = cutsBefore // It is held whole.
        return true
      }
      const trace = isData(buffer, from) ? usageTrace(buffer.subarray(from, to)) : null
      if (trace === 'event') {
        cuts.splice(cutsBefore, Infinity, start, end)
        return false
      }
      if (trace !== null) cuts.push(from + trace[0], from + trace[1])
      from = to === end ? end : afterLineEnd(buffer, to)
    }
    return false
  }

  /** Reads one line, without its end. @returns whether it ends the stream */
  #readLine (buffer: Buffer, from: number, to: number): boolean {
    if (!isData(buffer, from)) return false
    const line = buffer.subarray(from, to)
    const data = dataOf(line)
    if (data.subarray(0, DONE.length).equals(DONE)) return true // As the official clients compare it.
    this.#firstData ??= Buffer.from(data.subarray(0, MAX_FIRST_EVENT_BYTES))
    if (!hasValue(data, USAGE) && !hasValue(data, ERROR) && !data.includes(COMPLETED) && !data.includes(FAILED) && !data.includes(INCOMPLETE)) return false
    const event = parse(data)
    if (event === null) return false
    return this.#readEventObject(event)
  }

  #readEventObject (event: Record<string, unknown>): boolean {
    const isFinalResponse = event.type === 'response.completed' || event.type === 'response.incomplete' || event.type === 'response.failed'
    const source = isObject(event.response) ? event.response : event
    if (isObject(source.usage)) {
      this.#facts.usage = source.usage
      Object.assign(this.#facts, labelsOf(event))
    }
    if (isError(source.error)) this.#facts.error = source.error
    else if (event.type === 'error') this.#facts.error = event
    return isFinalResponse || isError(event.error) || event.type === 'error'
  }

  #addCarry (part: Buffer): void {
    if (this.#overlong || part.length === 0) return
    this.#carryBytes += part.length
    this.#carryEnd = part[part.length - 1]
    this.#carry.push(Buffer.from(part))
    // Such a line cannot be read any more; its end still has to be found.
    if (!this.#strip && this.#carryBytes > MAX_EVENT_BYTES) this.#carry.clear()
  }

  #takeCarry (): Buffer {
    const all = this.#carry.toBuffer()
    this.#carry.clear()
    this.#carryBytes = 0
    return all
  }
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

/** The model and tier that an event names. */
function labelsOf (event: Record<string, unknown> | null): Pick<StreamFacts, 'model' | 'serviceTier'> {
  const source = isObject(event?.response) ? event.response : event
  return {
    model: typeof source?.model === 'string' ? source.model : null,
    serviceTier: typeof source?.service_tier === 'string' ? source.service_tier : null
  }
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What the official clients throw for. */
function isError (value: unknown): boolean {
  return isObject(value) || (typeof value === 'string' && value !== '')
}
