import type { Transform } from 'node:stream'
import type { Source } from './held-response.js'

/**
 * The part of an answer that is decoded for the books. What is longer passes on unread, so that a small answer that
 * decodes to gigabytes takes no more than this.
 */
const MAX_READ_BYTES = 64 * 1024 * 1024

/** Decodes a body as it passes, chunk by chunk. What cannot be decoded ends the decoding, not the body. */
export class Decoding {
  readonly #decoder: Transform
  readonly #source: Source
  readonly #closed: Promise<void>
  #failure: Error | undefined
  /** Of chunks that are not decoded yet, the `passed`. */
  #waiting: Array<() => void> = []
  #isClosed = false

  /**
   * @param onText is handed what is decoded, and must not throw
   * @param maxBytes decoded, after which the decoding ends
   */
  constructor (decoder: Transform, onText: (text: Buffer) => void, source: Source, maxBytes = MAX_READ_BYTES) {
    this.#decoder = decoder
    this.#source = source
    let sizeBytes = 0
    decoder.on('data', (text: Buffer) => {
      sizeBytes += text.length
      if (sizeBytes <= maxBytes) onText(text)
      else decoder.destroy()
    })
    decoder.on('drain', () => source.resume('decoder'))
    decoder.on('error', error => { this.#failure = error })
    this.#closed = new Promise(resolve => decoder.on('close', () => {
      this.#isClosed = true
      for (const passed of this.#waiting.splice(0)) passed()
      source.resume('decoder')
      resolve()
    }))
  }

  /** Why the body is not what its `Content-Encoding` says. */
  get failure (): Error | undefined { return this.#failure }

  /** `passed` is called once the chunk is decoded, or cannot be; chunks keep their order. */
  push (chunk: Buffer, passed: () => void): void {
    if (this.#isClosed) {
      passed()
      return
    }
    this.#waiting.push(passed)
    const takesMore = this.#decoder.write(chunk, error => { if (error == null) this.#waiting.shift()?.() })
    if (!takesMore && !this.#decoder.destroyed) this.#source.pause('decoder')
  }

  /** The body is over. Resolves when all is decoded that could be. */
  async finish (): Promise<void> {
    this.#decoder.end()
    await this.#closed
  }
}
