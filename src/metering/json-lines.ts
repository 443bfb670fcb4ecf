import { EventReader, type StreamFacts, scanEvent } from './event-reader.js'
import type { JsonMembers } from '../decoders/json-members.js'
import { LF } from '../decoders/sse-lines.js'

/** What follows a body's first object: more of them, one a line (https://jsonlines.org). Each is read like an event. */
export class JsonLines {
  readonly #reader = new EventReader()
  #line = scanEvent()

  /** @param first the object before */
  constructor (first: JsonMembers) {
    this.#reader.read(first)
  }

  push (bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      const lineFeed = bytes.indexOf(LF, from)
      const end = lineFeed === -1 ? bytes.length : lineFeed + 1
      this.#line.feed(bytes.subarray(from, end))
      if (lineFeed !== -1) this.#endLine()
      from = end
    }
  }

  /** The last line may have no end. */
  facts (): StreamFacts {
    if (this.#line.complete) this.#endLine()
    return this.#reader.facts()
  }

  #endLine (): void {
    if (this.#line.complete) this.#reader.read(this.#line)
    this.#line = scanEvent()
  }
}
