const ALL_BYTES = 4 * 1024 * 1024
const MIN_BYTES = 4 * 1024
const MAX_BYTES = 256 * 1024

/**
 * How much of a stream is kept as it came, before it is read for the object that it adds up to. Most streams are never
 * read: of the calls of a batch only the latest of its type is stored. But raw events take memory, so the more calls are
 * open, the less each may keep.
 */
export class StreamBufferLimit {
  #openCalls = 0

  enter (): void { this.#openCalls++ }

  leave (): void { this.#openCalls-- }

  /** For each of the calls that are open now. */
  get bytes (): number { return Math.min(Math.max(ALL_BYTES / this.#openCalls, MIN_BYTES), MAX_BYTES) }
}
