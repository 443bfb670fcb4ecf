import { performance } from 'node:perf_hooks'
import { Transform, type TransformCallback } from 'node:stream'
import { GatheredBytes } from './gathered-bytes.js'
import type { Extent } from './staged-decoder.js'
import { MAX_BLOCK_BYTES, ZstdBlocks, ZstdHistory } from './zstd-block.js'
import { ZstdError } from './zstd-entropy.js'
import { type FrameHeader, mayBeFrame, readFrameHeader } from './zstd-frame.js'

type Frame = Extract<FrameHeader, { kind: 'frame' }>

/** After so long the event loop has its turn. A block takes a few milliseconds at most. */
const TURN_MS = 5
const BLOCK_HEADER_BYTES = 3
const CHECKSUM_BYTES = 4
const ALL_THAT_IS_LEFT: FrameHeader = { kind: 'skippable', sizeBytes: Infinity }

interface Step { readonly usedBytes: number, readonly needBytes: number, readonly text: Buffer | null }

/**
 * zstd (RFC 8878) where Node has none, before 22.15: each block is decoded within its bounds, in turns with the event loop,
 * and no faster than its reader reads. Checksums are skipped: what is read here goes into the books, and what goes on is what came.
 */
export class ZstdDecoder extends Transform {
  readonly #extent: Extent
  #input = new GatheredBytes()
  #needBytes = 1
  #skipBytes = 0
  #frame: Frame | null = null
  #frames = 0
  #blocks: ZstdBlocks | null = null
  #history = new ZstdHistory(0)
  /** Decoded of the current frame. */
  #contentBytes = 0
  #goOn: (() => void) | null = null
  #turnEndMs: number | null = null
  bytesWritten = 0

  constructor (extent: Extent) {
    super()
    this.#extent = extent
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#input.push(chunk)
    this.bytesWritten += chunk.length
    if (this.#input.sizeBytes < this.#needBytes) done()
    else this.#run(this.#input.toBuffer(), 0, done)
  }

  override _flush (done: TransformCallback): void {
    const isWhole = this.#frame === null && this.#skipBytes === 0 && this.#input.sizeBytes === 0
    done(isWhole || this.#extent === 'far' ? null : new ZstdError('it breaks off'))
  }

  override _read (size: number): void {
    const goOn = this.#goOn
    this.#goOn = null
    if (goOn === null) super._read(size)
    else goOn()
  }

  /** Decodes what there is, from `at` on, until the loop or the reader has to have its turn. */
  #run (bytes: Buffer, at: number, done: TransformCallback): void {
    try {
      for (;;) {
        if (performance.now() > this.#turnEnd()) {
          setImmediate(() => { if (!this.destroyed) this.#run(bytes, at, done) })
          return
        }
        const step = this.#step(bytes.subarray(at))
        at += step.usedBytes
        if (step.needBytes > 0) {
          this.#input = new GatheredBytes()
          this.#needBytes = step.needBytes
          if (at < bytes.length) this.#input.push(bytes.subarray(at))
          // Its reader has all the text before it hears that the chunk is done.
          if (this.readableLength > 0) setImmediate(done)
          else done()
          return
        }
        if (step.text !== null && step.text.length > 0 && !this.push(step.text)) {
          this.#goOn = () => this.#run(bytes, at, done)
          return
        }
      }
    } catch (error) {
      done(error instanceof Error ? error : new ZstdError(String(error)))
    }
  }

  /** Until when it may go on. A reader that asks for more within a turn does not begin another. */
  #turnEnd (): number {
    if (this.#turnEndMs === null) {
      this.#turnEndMs = performance.now() + TURN_MS
      setImmediate(() => { this.#turnEndMs = null })
    }
    return this.#turnEndMs
  }

  #step (bytes: Buffer): Step {
    if (this.#skipBytes > 0) {
      const usedBytes = Math.min(this.#skipBytes, bytes.length)
      this.#skipBytes -= usedBytes
      return { usedBytes, needBytes: this.#skipBytes > 0 ? 1 : 0, text: null }
    }
    if (bytes.length === 0) return { usedBytes: 0, needBytes: 1, text: null }
    const frame = this.#frame
    if (frame !== null) return this.#block(frame, bytes)
    const header = this.#isBehindTheEnd(bytes) ? ALL_THAT_IS_LEFT : readFrameHeader(bytes)
    if (header.kind === 'incomplete') return { usedBytes: 0, needBytes: header.needBytes, text: null }
    if (header.kind === 'skippable') {
      this.#skipBytes = header.sizeBytes
      return { usedBytes: 0, needBytes: 0, text: null }
    }
    this.#frame = header
    this.#frames++
    this.#contentBytes = 0
    this.#history = new ZstdHistory(header.windowBytes)
    this.#blocks = null
    return { usedBytes: header.sizeBytes, needBytes: 0, text: null }
  }

  /** What follows the last frame, where that is no error. */
  #isBehindTheEnd (bytes: Buffer): boolean {
    return this.#extent === 'far' && this.#frames > 0 && !mayBeFrame(bytes)
  }

  /** RFC 8878 §3.1.1.2 */
  #block (frame: Frame, bytes: Buffer): Step {
    if (bytes.length < BLOCK_HEADER_BYTES) return { usedBytes: 0, needBytes: BLOCK_HEADER_BYTES, text: null }
    const header = bytes.readUIntLE(0, BLOCK_HEADER_BYTES)
    const type = (header >> 1) & 3
    const size = header >> 3
    if (type === 3 || size > Math.min(MAX_BLOCK_BYTES, frame.windowBytes)) throw new ZstdError('a block is none')
    const usedBytes = BLOCK_HEADER_BYTES + (type === 1 ? 1 : size)
    if (bytes.length < usedBytes) return { usedBytes: 0, needBytes: usedBytes, text: null }
    const text = this.#decode(frame, type, size, bytes.subarray(BLOCK_HEADER_BYTES, usedBytes))
    this.#contentBytes += text.length
    const leftBytes = (frame.contentBytes ?? Infinity) - this.#contentBytes
    if (leftBytes < 0) throw new ZstdError('a frame is longer than it says')
    if ((header & 1) === 1) {
      if (frame.contentBytes !== null && leftBytes > 0) throw new ZstdError('a frame is shorter than it says')
      this.#frame = null
      this.#skipBytes = frame.hasChecksum ? CHECKSUM_BYTES : 0
    }
    return { usedBytes, needBytes: 0, text }
  }

  #decode (frame: Frame, type: number, size: number, block: Buffer): Buffer {
    if (type === 2) return (this.#blocks ??= new ZstdBlocks(this.#history, frame.windowBytes)).decode(block)
    const out = this.#history.reserve(size)
    const start = this.#history.size
    if (type === 0) out.set(block, start)
    else out.fill(block[0] ?? 0, start, start + size)
    return this.#history.take(start + size)
  }
}
