import type { Steps } from '../lib/slices.js'
import { JsonMembers } from './json-members.js'

const lineFeed = 0x0a
const carriageReturn = 0x0d

/** Chunks are copied into blocks of this size: nothing is copied twice, and no block is larger than a short stream. */
const blockBytes = 8192
const maxUnscanned = 65_536

/**
 * Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) after they have gone by.
 * `push` only copies: the copied lines are read in batches of `batchBytes`, or at the end. Chunk borders may fall
 * anywhere. An event whose data is longer than `maxEventBytes` is dropped and counted, so that no more is held than one
 * batch and one event.
 *
 * Unlike a browser it also reports the last event where the blank line behind it is missing: what was seen of a stream
 * that was cut is worth keeping. Servers that write one newline between data lines are read line by line: an object
 * that is whole is an event, where another begins behind it.
 */
export class SseEvents {
  droppedBytes = 0
  readonly #maxEventBytes: number
  readonly #batchBytes: () => number
  readonly #onEvent: (data: string, type: string) => void
  readonly #onRead: () => void
  #blocks: Buffer[] = []
  /** Of the last block. */
  #freeBytes = 0
  #pendingBytes = 0
  /** What the last reading left: the beginning of a line. */
  #leftBytes = 0
  #isFirstLine = true
  /** The line that goes on in the blocks was too long: its rest is not wanted either. */
  #skipsLine = false
  #skipsEvent = false
  /**
   * Its lines, a line feed before each, but for the unscanned ones behind them. No array: V8 learns that such live long,
   * and then keeps what was in one. It grows by flat pieces: V8 takes 100 ms to flatten a text of ten million.
   */
  #data = ''
  #type = ''
  /** Scans the data where another event may follow without a blank line. */
  #scan: JsonMembers | null = null
  /** What of the data it was not fed yet. */
  #unscanned = ''

  /** @param onEvent gets each event; `onRead` follows a batch of them, which were pieces of one text. */
  constructor (
    maxEventBytes: number, batchBytes: () => number, onEvent: (data: string, type: string) => void, onRead: () => void
  ) {
    this.#maxEventBytes = maxEventBytes
    this.#batchBytes = batchBytes
    this.#onEvent = onEvent
    this.#onRead = onRead
  }

  /** What is held of the stream and was not read yet. */
  get unreadBytes (): number { return this.#pendingBytes }

  /** Copies the chunk, whose memory may be another's. */
  push (chunk: Uint8Array): void {
    for (let from = 0; from < chunk.length;) {
      if (this.#freeBytes === 0) {
        this.#blocks.push(Buffer.allocUnsafeSlow(blockBytes))
        this.#freeBytes = blockBytes
      }
      const part = from === 0 && chunk.length <= this.#freeBytes ? chunk : chunk.subarray(from, from + this.#freeBytes)
      this.#blocks.at(-1)?.set(part, blockBytes - this.#freeBytes)
      from += part.length
      this.#freeBytes -= part.length
      this.#pendingBytes += part.length
      const newBytes = this.#pendingBytes - this.#leftBytes
      if (newBytes >= this.#batchBytes() && newBytes >= this.#worthCopying) this.#readWholeLines()
    }
  }

  /** The stream is over: reads what is left, and then its last event, in a step each. */
  * ending (): Steps<void> {
    if (this.#pendingBytes > 0) this.#readLines(this.#pending().toString())
    this.#blocks = []
    this.#freeBytes = 0
    this.#pendingBytes = 0
    yield
    this.#endEvent()
  }

  #pending (): Buffer {
    const [only] = this.#blocks
    const isOne = only !== undefined && this.#blocks.length === 1
    return isOne ? only.subarray(0, this.#pendingBytes) : Buffer.concat(this.#blocks, this.#pendingBytes)
  }

  /** A line that goes on is copied at each reading: it doubles in between, so that all copies together are linear. */
  get #worthCopying (): number { return Math.min(this.#leftBytes, this.#maxEventBytes - this.#leftBytes) }

  #readWholeLines (): void {
    const bytes = this.#pending()
    // A CR that comes last may have its LF in the next chunk: its line is not whole yet.
    const end = Math.max(bytes.lastIndexOf(lineFeed), bytes.lastIndexOf(carriageReturn, -2)) + 1
    if (end > 0) {
      this.#readLines(bytes.toString('utf8', 0, end))
      this.#onRead()
    }
    const rest = bytes.subarray(end)
    this.#skipsLine ||= rest.length > this.#maxEventBytes
    if (this.#skipsLine) this.droppedBytes += rest.length
    this.#keep(this.#skipsLine ? rest.subarray(rest.length) : rest)
  }

  /**
   * What is kept goes to the start of the first block, which is used again: a thousand open streams are read
   * hundreds of times a second.
   */
  #keep (rest: Buffer): void {
    const [first] = this.#blocks
    if (first?.length === blockBytes && rest.length < blockBytes) {
      first.set(rest)
      this.#blocks.length = 1
      this.#freeBytes = blockBytes - rest.length
    } else {
      this.#blocks = rest.length === 0 ? [] : [Buffer.from(rest)]
      this.#freeBytes = 0
    }
    this.#pendingBytes = rest.length
    this.#leftBytes = rest.length
  }

  #readLines (text: string): void {
    const lines = text.includes('\r') ? text.split(/\r\n|\r|\n/) : text.split('\n')
    // What follows the last line end is nothing, not an empty line.
    if (lines.at(-1) === '') lines.pop()
    for (const line of lines) {
      if (this.#skipsLine) {
        this.#skipsLine = false
        this.#skipEvent()
      } else if (line === '') this.#endEvent()
      else this.#readField(this.#isFirstLine && line.startsWith('\ufeff') ? line.slice(1) : line)
      this.#isFirstLine = false
    }
  }

  #readField (line: string): void {
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    if (name !== 'data' && name !== 'event') return
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'event') {
      this.#type = value
      return
    }
    if (this.#dataLength > 0) this.#addLine(value)
    if (this.#skipsEvent || this.#dataLength + value.length > this.#maxEventBytes) {
      this.droppedBytes += value.length
      this.#skipEvent()
    } else {
      this.#unscanned += `\n${value}`
    }
  }

  get #dataLength (): number { return this.#data.length + this.#unscanned.length }

  /** Another line of the event, or the next event: an object that is whole stands before it. */
  #addLine (value: string): void {
    const mayFollow = value.startsWith('{') || value.startsWith('[DONE]')
    // Not scanned at every line: an event may have hundreds of thousands.
    if (!mayFollow && this.#unscanned.length < maxUnscanned) return
    this.#scan ??= new JsonMembers(NO_MEMBERS)
    this.#scan.feed(Buffer.from(this.#unscanned)) // It is flat from here on.
    this.#data += this.#unscanned
    this.#unscanned = ''
    if (mayFollow && this.#scan.complete) this.#endEvent()
  }

  #skipEvent (): void {
    this.droppedBytes += this.#dataLength
    this.#data = ''
    this.#scan = null
    this.#unscanned = ''
    this.#skipsEvent = true
  }

  #endEvent (): void {
    const data = (this.#data + this.#unscanned).slice(1)
    const type = this.#type
    this.#data = ''
    this.#type = ''
    this.#scan = null
    this.#unscanned = ''
    this.#skipsEvent = false
    if (data !== '') this.#onEvent(data, type)
  }
}

const NO_MEMBERS: ReadonlySet<string> = new Set()
