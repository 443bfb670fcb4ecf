/** The bytes of a chunk that go on. Pieces that lie next to each other stay one, so that mostly nothing is copied. */
export class PassedBytes {
  #pieces: Buffer[] = []

  push (bytes: Buffer): void {
    const last = this.#pieces.at(-1)
    if (last !== undefined && last.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset) {
      this.#pieces[this.#pieces.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + bytes.length)
    } else this.#pieces.push(bytes)
  }

  pushAll (lines: readonly Buffer[]): void {
    for (const line of lines) this.push(line)
  }

  /** @returns null for nothing */
  take (): Buffer | null {
    const pieces = this.#pieces
    const [only] = pieces
    if (only === undefined) return null
    this.#pieces = []
    const all = pieces.length === 1 ? only : Buffer.concat(pieces)
    return all.length === 0 ? null : all
  }
}
