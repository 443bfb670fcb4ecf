const ALL_BYTES = 4 * 1024 * 1024
const MIN_BYTES = 4 * 1024
const MAX_BYTES = 256 * 1024

/**
 * How many raw bytes of a stream are buffered before they are parsed and accumulated. Most streams are never parsed:
 * of the calls of a batch only the latest of its type is stored. But raw events take memory, so with more open calls
 * each may buffer less.
 */
export class StreamBufferLimit {
  #openCalls = 0

  enter (): void { this.#openCalls++ }

  leave (): void { this.#openCalls-- }

  /** For each of the calls that are open now. */
  get bytes (): number { return Math.min(Math.max(ALL_BYTES / this.#openCalls, MIN_BYTES), MAX_BYTES) }
}
