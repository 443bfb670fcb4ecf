const SMALL_BYTES = 1024
const BLOCK_BYTES = 16 * 1024
const LOOSE_CHUNKS = 16

/**
 * The chunks of a body until it is whole. Past the first few, small ones are copied together: whoever sends a body byte by
 * byte would make each byte cost a hundred.
 */
export class GatheredBytes {
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
