/** An upstream may learn the option, and a refusal may have had another reason: after an hour it is asked again. */
const LASTS_MS = 60 * 60 * 1000
const MAX_EXCEPTIONS = 1000
/** Longer names of models are made up: they are not remembered. */
const MAX_NAME_CHARACTERS = 256

/**
 * Models whose upstream rejects `stream_options`. Their streams go upstream unchanged, and their tokens are estimated.
 * An exception applies to one endpoint and model, for an hour.
 */
export class StreamUsageExceptions {
  readonly #now: () => number
  /** When each ends; the oldest first. */
  readonly #ends = new Map<string, number>()

  /** @param now wall clock, milliseconds since the epoch */
  constructor (now: () => number) {
    this.#now = now
  }

  get size (): number {
    const nowMs = this.#now()
    for (const [key, endsAtMs] of this.#ends) if (endsAtMs <= nowMs) this.#ends.delete(key)
    return this.#ends.size
  }

  has (endpoint: string, model: string | null): boolean {
    return this.#ends.size > 0 && (this.#ends.get(keyOf(endpoint, model)) ?? 0) > this.#now()
  }

  add (endpoint: string, model: string | null): void {
    const key = keyOf(endpoint, model)
    if (key.length > MAX_NAME_CHARACTERS) return
    this.#ends.delete(key)
    this.#ends.set(key, this.#now() + LASTS_MS)
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= MAX_EXCEPTIONS) return
      this.#ends.delete(oldest)
    }
  }
}

const keyOf = (endpoint: string, model: string | null): string => `${endpoint}\n${model ?? ''}`
