import { Transform, type TransformCallback } from 'node:stream'
import { type InflateRaw, constants, createInflateRaw } from 'node:zlib'

const TRAILER_BYTES = 8
/** RFC 1952 §2.3.1: the flags of optional fields. */
const [HEADER_CRC, EXTRA, NAME, COMMENT] = [2, 4, 8, 16]
/** Names and comments are read no further. */
const MAX_HEADER_BYTES = 80 * 1024

/**
 * Decodes gzip (RFC 1952) as far as possible: a truncated body, or one with other bytes after its last member, yields
 * all its text. Node's own decoder loses buffered text when it meets such bytes.
 */
export class GzipDecoder extends Transform {
  /** A header that is not whole yet. */
  #head: Buffer = Buffer.alloc(0)
  #skipBytes = 0
  #member: InflateRaw | null = null
  #memberBytes = 0
  #isOver = false
  #members = 0
  #waitsForReader = false
  readonly #needsEnd: boolean
  bytesWritten = 0

  /** @param needsEnd a body that breaks off is an error, once all the text that is there was handed over */
  constructor (needsEnd = false) {
    super()
    this.#needsEnd = needsEnd
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytesWritten += chunk.length
    this.#take(chunk, done)
  }

  override _flush (done: TransformCallback): void {
    const member = this.#member
    const isCut = member !== null || this.#skipBytes > 0 || (this.#head.length > 0 && !this.#isOver)
    const end = (): void => done(isCut && this.#needsEnd ? new Error('it is truncated') : null)
    if (member === null) {
      end()
      return
    }
    member.on('end', end)
    member.end()
  }

  override _read (size: number): void {
    if (this.#waitsForReader) {
      this.#waitsForReader = false
      this.#member?.resume()
    }
    // The member may have nothing more of this chunk: then it is the next that is waited for.
    super._read(size)
  }

  override _destroy (error: Error | null, done: (error: Error | null) => void): void {
    this.#member?.destroy()
    done(error)
  }

  #take (chunk: Buffer, done: TransformCallback): void {
    const skipped = Math.min(this.#skipBytes, chunk.length)
    this.#skipBytes -= skipped
    const bytes = chunk.subarray(skipped)
    if (bytes.length === 0 || this.#isOver) done()
    else if (this.#member === null) this.#open(bytes, done)
    else this.#inflate(this.#member, bytes, done)
  }

  #open (bytes: Buffer, done: TransformCallback): void {
    this.#head = Buffer.concat([this.#head, bytes])
    const head = this.#head
    const headerBytes = headerLength(head)
    if (!isMember(head) || (headerBytes === null && head.length > MAX_HEADER_BYTES)) {
      this.#isOver = true
      done(this.#members > 0 ? null : new Error('it is not gzip'))
      return
    }
    if (headerBytes === null) {
      done()
      return
    }
    this.#head = Buffer.alloc(0)
    this.#members++
    this.#memberBytes = 0
    const member = createInflateRaw({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH })
    this.#member = member
    member.on('error', error => this.destroy(error))
    member.on('data', (text: Buffer) => {
      if (this.push(text)) return
      this.#waitsForReader = true
      member.pause()
    })
    this.#take(head.subarray(headerBytes), done)
  }

  #inflate (member: InflateRaw, bytes: Buffer, done: TransformCallback): void {
    this.#memberBytes += bytes.length
    member.write(bytes, () => {
      const restBytes = this.#memberBytes - member.bytesWritten
      if (restBytes === 0) {
        done()
        return
      }
      const goOn = (): void => {
        this.#member = null
        this.#skipBytes = TRAILER_BYTES
        this.#take(bytes.subarray(bytes.length - restBytes), done)
      }
      // Its text may wait for the reader.
      if (member.readableLength > 0) member.on('end', goOn)
      else goOn()
    })
  }
}

/** Whether these may be the first bytes of a member. */
function isMember ([id1 = 0x1f, id2 = 0x8b, method = 8]: Buffer): boolean {
  return id1 === 0x1f && id2 === 0x8b && method === 8
}

/** RFC 1952 §2.3; null while the header is not whole. */
function headerLength (head: Buffer): number | null {
  const flags = head[3] ?? 0
  let at = 10
  if ((flags & EXTRA) !== 0) at += 2 + (head.length >= at + 2 ? head.readUInt16LE(at) : 0)
  for (const flag of [NAME, COMMENT]) {
    if ((flags & flag) === 0) continue
    const end = head.indexOf(0, at)
    if (end === -1) return null
    at = end + 1
  }
  if ((flags & HEADER_CRC) !== 0) at += 2
  return head.length < at ? null : at
}
