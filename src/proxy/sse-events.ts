const lineFeed = 0x0a
const carriageReturn = 0x0d

/** Bytes that are gathered before they are read: a short stream is not read before its end. */
const batchBytes = 65_536
const firstCapacityBytes = 4096

/**
 * Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) after they have gone by: `push`
 * only copies, and the copied lines are read in batches. Chunk borders may fall anywhere. An event whose data is longer
 * than `maxEventBytes` is dropped and counted, so that no more is held than one batch and one event.
 *
 * Unlike a browser it also reports the last event where the blank line behind it is missing: what was seen of a stream
 * that was cut is worth keeping.
 */
export class SseEvents {
  droppedBytes = 0
  readonly #maxEventBytes: number
  readonly #onEvent: (data: string, type: string) => void
  #pending = Buffer.alloc(0)
  #pendingBytes = 0
  #readAtBytes = batchBytes
  #isFirstLine = true
  /** The line that goes on in `#pending` was too long: its rest is not wanted either. */
  #skipsLine = false
  #skipsEvent = false
  #data: string[] = []
  #dataLength = 0
  #type = ''

  constructor (maxEventBytes: number, onEvent: (data: string, type: string) => void) {
    this.#maxEventBytes = maxEventBytes
    this.#onEvent = onEvent
  }

  /** Copies the chunk, whose memory may be another's. */
  push (chunk: Uint8Array): void {
    for (let from = 0; from < chunk.length; from += batchBytes) {
      const part = chunk.length <= batchBytes ? chunk : chunk.subarray(from, from + batchBytes)
      this.#reserve(this.#pendingBytes + part.length)
      this.#pending.set(part, this.#pendingBytes)
      this.#pendingBytes += part.length
      if (this.#pendingBytes >= this.#readAtBytes) this.#readWholeLines()
    }
  }

  /** The stream is over: reads what is left. */
  end (): void {
    if (this.#pendingBytes > 0) this.#readLines(this.#pending.toString('utf8', 0, this.#pendingBytes))
    this.#pending = Buffer.alloc(0)
    this.#pendingBytes = 0
    this.#endEvent()
  }

  #reserve (bytes: number): void {
    if (bytes <= this.#pending.length) return
    let capacity = Math.max(firstCapacityBytes, this.#pending.length)
    while (capacity < bytes) capacity *= 2
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.#pending.copy(grown, 0, 0, this.#pendingBytes)
    this.#pending = grown
  }

  #readWholeLines (): void {
    const bytes = this.#pending.subarray(0, this.#pendingBytes)
    // A CR that comes last may have its LF in the next chunk: its line is not whole yet.
    const end = Math.max(bytes.lastIndexOf(lineFeed), bytes.lastIndexOf(carriageReturn, -2)) + 1
    if (end > 0) {
      const lines = bytes.toString('utf8', 0, end)
      this.#pending.copyWithin(0, end, this.#pendingBytes)
      this.#pendingBytes -= end
      this.#readLines(lines)
    }
    if (this.#skipsLine || this.#pendingBytes > this.#maxEventBytes) {
      this.droppedBytes += this.#pendingBytes
      this.#pendingBytes = 0
      this.#skipsLine = true
    }
    this.#readAtBytes = this.#pendingBytes + batchBytes
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
