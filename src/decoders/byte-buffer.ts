import type { Steps } from '../lib/slices.js'

const SMALL_BYTES = 1024
const BLOCK_BYTES = 16 * 1024
const LOOSE_CHUNKS = 16
/** The bytes that are copied in a step. */
const STEP_BYTES = 1024 * 1024

/**
 * Buffers the chunks of a body until it is complete. After the first few, small chunks are copied together: a body
 * that comes byte by byte would otherwise take a hundred bytes for each byte.
 */
export class ByteBuffer {
  readonly #chunks: Buffer[] = []
  #block: Buffer | null = null
  #blockBytes = 0
  sizeBytes = 0

  push (chunk: Buffer): void {
    this.sizeBytes += chunk.length
    if (chunk.length >= SMALL_BYTES || this.#chunks.length < LOOSE_CHUNKS) {
      this.#closeBlock()
      this.#chunks.push(chunk)
      return
    }
    if (this.#blockBytes + chunk.length > BLOCK_BYTES) this.#closeBlock()
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES)
    this.#blockBytes += chunk.copy(this.#block, this.#blockBytes)
  }

  /** All of it. A body that came as one chunk is that chunk. */
  toBuffer (): Buffer {
    this.#closeBlock()
    const [only] = this.#chunks
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.sizeBytes)
  }

  /** As `toBuffer`, in steps. */
  * gathering (): Steps<Buffer> {
    this.#closeBlock()
    const [only] = this.#chunks
    return this.#chunks.length === 1 && only !== undefined ? only : yield * concatenating(this.#chunks)
  }

  clear (): void {
    this.#chunks.length = 0
    this.#block = null
    this.#blockBytes = 0
    this.sizeBytes = 0
  }

  #closeBlock (): void {
    if (this.#block === null) return
    this.#chunks.push(this.#block.subarray(0, this.#blockBytes))
    this.#block = null
    this.#blockBytes = 0
  }
}

/** As `Buffer.concat`, in steps. */
export function * concatenating (parts: readonly Buffer[]): Steps<Buffer> {
  const whole = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + part.length, 0))
  let size = 0
  let stepBytes = 0
  for (const part of parts) {
    for (let from = 0; from < part.length; from += STEP_BYTES) {
      const copied = part.copy(whole, size, from, from + STEP_BYTES)
      size += copied
      stepBytes += copied
      if (stepBytes < STEP_BYTES) continue
      stepBytes = 0
      yield
    }
  }
  return whole
}
