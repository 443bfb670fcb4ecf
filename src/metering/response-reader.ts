import type { Steps } from '../lib/slices.js'
import { StreamAccumulator } from '../capture/stream-accumulator.js'
import { type BodyKind, isBlank } from '../decoders/body-kind.js'
import { ByteBuffer } from '../decoders/byte-buffer.js'
import { JsonLines } from './json-lines.js'
import { JsonMembers } from '../decoders/json-members.js'
import { type CapturedResponse, type CapturedBody, LONG_BODY_BYTES } from '../capture/captured-body.js'
import { storedBinary, storedText } from '../capture/stored-text.js'
import { StreamTee } from './stream-tee.js'

/** What the books need from a response body. */
export interface ResponseFacts {
  /** OpenAI's `usage` object; undefined where there was none. */
  readonly usage: unknown
  readonly model: string | null
  /** The tier that served the call. */
  readonly serviceTier: string | null
  /** OpenAI's `error` member or event. */
  readonly error: unknown
  /** `status` of the Responses API: `queued` and `in_progress` have used nothing yet. */
  readonly status: string | null
}

/** Reads a response body, decoded, as it passes. Its memory is bounded whatever the body's size. */
export interface ResponseReader extends CapturedResponse {
  push: (chunk: Buffer) => void
  facts: () => ResponseFacts
  /** JSON, or a stream of it: what a model's answer comes as. A page of HTML is none, whatever its status. */
  readonly isModelOutput: boolean
}

/** Enough for what OpenAI answers with inline images; of a longer body the head is kept. */
const MAX_KEPT_JSON_BYTES = 16 * 1024 * 1024
const NO_FACTS: ResponseFacts = { usage: undefined, model: null, serviceTier: null, error: undefined, status: null }

/** One JSON value, or JSON lines. */
class JsonReader implements ResponseReader {
  readonly isModelOutput = true
  readonly #members = new JsonMembers(new Set(['usage', 'model', 'service_tier', 'error', 'status']))
  #lines: JsonLines | null = null
  readonly #kept: KeptBytes
  readonly #maxBytes: number

  constructor (payloadMaxBytes: number) {
    this.#maxBytes = payloadMaxBytes
    this.#kept = new KeptBytes(MAX_KEPT_JSON_BYTES)
  }

  push (chunk: Buffer): void {
    if (this.#lines !== null) this.#lines.push(chunk)
    else this.#first(chunk)
    this.#kept.push(chunk)
  }

  #first (chunk: Buffer): void {
    const members = this.#members
    members.feed(chunk)
    if (!members.complete) return
    const rest = chunk.subarray(Math.max(0, members.endedAt - this.#kept.pushedBytes))
    if (isBlank(rest)) return
    this.#lines = new JsonLines(members)
    this.#lines.push(rest)
  }

  facts (): ResponseFacts {
    if (this.#lines !== null) return { ...this.#lines.facts(), status: null }
    const members = this.#members
    return {
      usage: members.value('usage'),
      model: members.string('model'),
      serviceTier: members.string('service_tier'),
      error: members.value('error'),
      status: members.string('status')
    }
  }

  text (): string | null { return this.#kept.text(this.#maxBytes) }
  * kept (): Steps<CapturedBody | null> { return this.#kept.body() }
  get isLong (): boolean { return this.#kept.isLong }
}

/** Anything that is text but neither JSON nor a stream. */
class TextReader implements ResponseReader {
  readonly isModelOutput = false
  readonly #kept: KeptBytes
  readonly #maxBytes: number

  constructor (payloadMaxBytes: number) {
    this.#maxBytes = payloadMaxBytes
    this.#kept = new KeptBytes(payloadMaxBytes)
  }

  push (chunk: Buffer): void { this.#kept.push(chunk) }
  facts (): ResponseFacts { return NO_FACTS }
  text (): string | null { return this.#kept.text(this.#maxBytes) }
  * kept (): Steps<CapturedBody | null> { return this.#kept.body() }
  get isLong (): boolean { return this.#kept.isLong }
}

class BinaryReader implements ResponseReader {
  readonly isModelOutput = false
  readonly #contentType: string
  #sizeBytes = 0

  constructor (contentType: string) {
    this.#contentType = contentType
  }

  push (chunk: Buffer): void { this.#sizeBytes += chunk.length }
  facts (): ResponseFacts { return NO_FACTS }
  text (): string | null { return this.#sizeBytes === 0 ? null : storedBinary(this.#contentType, this.#sizeBytes) }
  * kept (): Steps<null> { return null }
  get isLong (): boolean { return false }
}

/** How much of a stream is retained. */
export interface KeepLimits {
  /** Of what is stored. */
  readonly payloadMaxBytes: number
  /** Of what waits as it came; asked for as the stream goes on. */
  readonly unreadBytes: () => number
}

/** A stream's reader is also what decides which bytes go on: see `StreamTee`. */
export class StreamReader implements ResponseReader {
  readonly isModelOutput = true
  readonly tee: StreamTee
  readonly #accumulator: StreamAccumulator
  readonly #maxBytes: number

  constructor (mode: 'watch' | 'strip', { payloadMaxBytes, unreadBytes }: KeepLimits) {
    this.tee = new StreamTee(mode)
    this.#accumulator = new StreamAccumulator(payloadMaxBytes, unreadBytes)
    this.#maxBytes = payloadMaxBytes
  }

  push (chunk: Buffer): void { this.pass(chunk) }

  /** @returns what of the chunk may go on, as `StreamTee.push` says */
  pass (chunk: Buffer): Buffer | null {
    this.#accumulator.push(chunk)
    return this.tee.push(chunk)
  }

  facts (): ResponseFacts { return { ...this.tee.facts(), status: null } }

  text (): string | null {
    const text = this.#accumulator.toText()
    return text === null ? null : storedText(text, this.#maxBytes, text.includes('"truncated_bytes":'))
  }

  * kept (): Steps<CapturedBody | null> {
    const content = yield * this.#accumulator.finishing()
    return content === null ? null : { content, sizeBytes: Buffer.byteLength(content) + this.#accumulator.droppedBytes }
  }

  get isLong (): boolean { return this.#accumulator.keptBytes > LONG_BODY_BYTES }
}

/** The first bytes of a body. */
class KeptBytes {
  readonly #maxBytes: number
  readonly #kept = new ByteBuffer()
  #content: Buffer | null = null
  /** Of all that was pushed. */
  #sizeBytes = 0

  constructor (maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get isLong (): boolean { return this.#kept.sizeBytes > LONG_BODY_BYTES }
  get isWhole (): boolean { return this.#kept.sizeBytes === this.#sizeBytes }
  get pushedBytes (): number { return this.#sizeBytes }

  push (chunk: Buffer): void {
    this.#sizeBytes += chunk.length
    const room = this.#maxBytes - this.#kept.sizeBytes
    if (room > 0) this.#kept.push(chunk.length <= room ? chunk : chunk.subarray(0, room))
  }

  /** To be asked for when all was pushed. */
  body (): CapturedBody | null {
    if (this.#kept.sizeBytes === 0) return null
    this.#content ??= this.#kept.toBuffer()
    return { content: this.#content, sizeBytes: this.#sizeBytes }
  }

  text (maxBytes: number): string | null {
    const body = this.body()
    return body === null ? null : storedText(body.content, maxBytes, !this.isWhole)
  }
}

/** @param contentType the response's, lower-case */
export function createReader (kind: BodyKind, contentType: string, payloadMaxBytes: number): ResponseReader {
  if (kind === 'json' || kind === 'lines') return new JsonReader(payloadMaxBytes)
  return kind === 'text' ? new TextReader(payloadMaxBytes) : new BinaryReader(contentType)
}
