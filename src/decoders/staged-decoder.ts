import { Transform, type TransformCallback } from 'node:stream'

/** A decoder that reports how many of its input bytes it used: less than all if the rest belongs to no coding. */
export type Decoder = Transform & { readonly bytesWritten: number }

/**
 * How to treat an incomplete body. `whole`: a body that is truncated, or has bytes after its end, is an error.
 * `ended`: a truncated one is an error, at its end. `far`: it is decoded as far as possible.
 */
export type Extent = 'whole' | 'ended' | 'far'

/**
 * A decoder made of others, in a row, which may depend on the body's first bytes. A chunk is done when the last of them
 * has decoded it, and all wait for the slowest.
 */
export class StagedDecoder extends Transform {
  readonly #headBytes: number
  readonly #open: (head: Buffer) => readonly Decoder[]
  #head: Buffer = Buffer.alloc(0)
  #stages: readonly Decoder[] = []
  /** Bytes written to each stage. */
  #fed: number[] = []
  /** Writes that stages have not finished. */
  #pending = 0
  #done: (() => void) | null = null
  #waitsForReader = false

  /** @param headBytes how many bytes `open` wants to see; it gets fewer where the body has fewer */
  constructor (headBytes: number, open: (head: Buffer) => readonly Decoder[]) {
    super()
    this.#headBytes = headBytes
    this.#open = open
  }

  get bytesWritten (): number {
    const usedAll = this.#stages.every((stage, i) => stage.bytesWritten === this.#fed[i])
    return usedAll ? this.#fed[0] ?? 0 : 0
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#done = done
    if (this.#stages.length > 0) {
      this.#feed(0, chunk)
      return
    }
    this.#head = Buffer.concat([this.#head, chunk])
    if (this.#head.length >= this.#headBytes) this.#start()
    else this.#settle()
  }

  override _flush (done: TransformCallback): void {
    if (this.#stages.length === 0) this.#start()
    const last = this.#stages.at(-1)
    if (last === undefined || last.readableEnded) done()
    else last.on('end', done)
    const [first] = this.#stages
    first?.end()
  }

  override _read (size: number): void {
    if (this.#waitsForReader) {
      this.#waitsForReader = false
      this.#stages.at(-1)?.resume()
    }
    // The stage may have nothing more of this chunk: then it is the next that is waited for.
    super._read(size)
  }

  override _destroy (error: Error | null, done: (error: Error | null) => void): void {
    for (const stage of this.#stages) stage.destroy()
    done(error)
  }

  #start (): void {
    this.#stages = this.#open(this.#head)
    this.#fed = this.#stages.map(() => 0)
    this.#stages.forEach((stage, i) => {
      const next = this.#stages[i + 1]
      stage.on('error', error => this.destroy(error))
      stage.on('data', (piece: Buffer) => {
        if (next !== undefined) {
          this.#feed(i + 1, piece)
          return
        }
        if (!this.push(piece)) {
          this.#waitsForReader = true
          stage.pause()
        }
        this.#settle()
      })
      // What comes behind the end of a coding has no one to take it.
      stage.on('end', () => {
        next?.end()
        this.#pending = 0
        this.#settle()
      })
    })
    this.#feed(0, this.#head)
  }

  #feed (index: number, piece: Buffer): void {
    const stage = this.#stages[index]
    if (stage === undefined || piece.length === 0 || stage.writableEnded || stage.readableEnded) {
      this.#settle()
      return
    }
    this.#fed[index] = (this.#fed[index] ?? 0) + piece.length
    this.#pending++
    const takesMore = stage.write(piece, () => {
      this.#pending--
      this.#settle()
    })
    const before = this.#stages[index - 1]
    if (takesMore || before === undefined) return
    before.pause()
    stage.once('drain', () => before.resume())
  }

  #settle (): void {
    if (this.#pending > 0 || this.#stages.some(stage => stage.readableLength > 0)) return
    const done = this.#done
    this.#done = null
    done?.()
  }
}
