import { EventReader, type StreamFacts } from './event-reader.js'
import { StrippedStream } from './stripped-stream.js'
import { WatchedStream } from './watched-stream.js'

/**
 * Reads a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) on its way to
 * the caller. Chunk borders may fall anywhere, and an object may span data lines. Servers that write no blank line
 * between events are read line by line.
 *
 * `watch`: every byte goes on as it came, at once.
 *
 * `strip`: the gateway asked for the usage, so what `stream_options.include_usage` caused is taken out again.
 *
 * Both hold back the line that ends the stream (`[DONE]`, or `response.completed` and its kin): a client that has
 * read it takes the answer for complete, so the call's record comes first. `push` returns what may go on; once `ended`
 * is true, the final line and all behind it are in `takeHeld`.
 */
export class StreamTee {
  readonly #reader = new EventReader()
  readonly #stream: StrippedStream | WatchedStream
  #isTaken = false
  /** The final line was seen. From here on chunks pass unread, behind `takeHeld`. */
  ended = false

  constructor (mode: 'watch' | 'strip') {
    this.#stream = mode === 'strip' ? new StrippedStream(this.#reader) : new WatchedStream(this.#reader)
  }

  takeHeld (): Buffer {
    const held = this.#isTaken ? null : this.#stream.final
    this.#isTaken = true
    return held ?? Buffer.alloc(0)
  }

  facts (): StreamFacts { return this.#reader.facts() }

  /** @returns what may go to the caller now: the chunk itself, a part of it, or null for nothing */
  push (chunk: Buffer): Buffer | null {
    if (this.ended) return chunk
    const passed = this.#stream.push(chunk)
    this.ended = this.#stream.final !== null
    return passed
  }

  /** The stream is over without a final line. @returns what was still waiting for the rest of it */
  finish (): Buffer | null {
    return this.ended ? null : this.#stream.finish()
  }
}
