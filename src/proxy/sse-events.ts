const lineFeed = 0x0a
const carriageReturn = 0x0d

/** They are gathered in blocks of this size: nothing is copied twice, and no block is larger than a short stream needs. */
const blockBytes = 8192

/**
 * Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) after they have gone by: `push`
 * only copies, and the copied lines are read in batches of `unreadBytes`, or at the end. Chunk borders may fall anywhere. An
 * event whose data is longer than `maxEventBytes` is dropped and counted, so that no more is held than one batch and one
 * event.
 *
 * Unlike a browser it also reports the last event where the blank line behind it is missing: what was seen of a stream
 * that was cut is worth keeping.
 */
export class SseEvents {
  droppedBytes = 0
  readonly #maxEventBytes: number
  readonly #unreadBytes: () => number
  readonly #onEvent: (data: string, type: string) => void
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
  #data: string[] = []
  #dataLength = 0
  #type = ''

  constructor (maxEventBytes: number, unreadBytes: () => number, onEvent: (data: string, type: string) => void) {
    this.#maxEventBytes = maxEventBytes
    this.#unreadBytes = unreadBytes
    this.#onEvent = onEvent
  }

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
      if (this.#pendingBytes - this.#leftBytes >= this.#unreadBytes()) this.#readWholeLines()
    }
  }

  /** The stream is over: reads what is left. */
  end (): void {
    const rest = this.#takePending()
    if (rest.length > 0) this.#readLines(rest.toString())
    this.#endEvent()
  }

  #takePending (): Buffer {
    const pending = Buffer.concat(this.#blocks, this.#pendingBytes)
    this.#keepPending(Buffer.alloc(0))
    return pending
  }

  #keepPending (bytes: Buffer): void {
    this.#blocks = bytes.length === 0 ? [] : [bytes]
    this.#freeBytes = 0
    this.#pendingBytes = bytes.length
  }

  #readWholeLines (): void {
    const bytes = this.#takePending()
    // A CR that comes last may have its LF in the next chunk: its line is not whole yet.
    const end = Math.max(bytes.lastIndexOf(lineFeed), bytes.lastIndexOf(carriageReturn, -2)) + 1
    if (end > 0) this.#readLines(bytes.toString('utf8', 0, end))
    const rest = bytes.subarray(end)
    this.#skipsLine ||= rest.length > this.#maxEventBytes
    if (this.#skipsLine) this.droppedBytes += rest.length
    else this.#keepPending(Buffer.from(rest))
    this.#leftBytes = this.#pendingBytes
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
    if (name === 'event') this.#type = value
    else if (this.#skipsEvent || this.#dataLength + value.length > this.#maxEventBytes) {
      this.droppedBytes += value.length
      this.#skipEvent()
    } else {
      this.#data.push(value)
      this.#dataLength += value.length + 1
    }
  }

  #skipEvent (): void {
    this.droppedBytes += this.#dataLength
    this.#data = []
    this.#dataLength = 0
    this.#skipsEvent = true
  }

  #endEvent (): void {
    const data = this.#data.length === 1 ? this.#data[0] ?? '' : this.#data.join('\n')
    const type = this.#type
    this.#data = []
    this.#dataLength = 0
    this.#type = ''
    this.#skipsEvent = false
    if (data !== '') this.#onEvent(data, type)
  }
}
