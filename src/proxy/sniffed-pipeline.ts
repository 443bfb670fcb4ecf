import type { Transform } from 'node:stream'
import { type BodyKind, isBlank, sniffKind } from '../decoders/body-kind.js'
import type { Coding } from '../decoders/content-coding.js'
import { Decoding } from './decoding.js'
import type { Source } from './held-response.js'
import type { BodyPipeline } from './response-pipeline.js'
import { type ResponseReader, createReader } from '../metering/response-reader.js'

/** Opens the pipeline of a body once its kind is known. */
export interface Opener extends Source {
  open: (kind: BodyKind) => BodyPipeline
  /** White space in front of a body keeps its connection alive: it does not wait, unless its head does. */
  passBlank: (bytes: Buffer) => boolean
}

/** So little is needed: a longer beginning without a decision is none of a stream or of JSON. */
const MAX_SNIFFED_BYTES = 256
/** A coding can begin with megabytes of nothing, as can white space whose head waits. */
const MAX_HELD_BYTES = 1024 * 1024

/**
 * A body's pipeline until its first bytes say what it is, which is mostly its first chunk. Its `Content-Type` counts
 * only where they do not.
 */
export class SniffedPipeline implements BodyPipeline {
  readonly #opener: Opener
  readonly #declared: BodyKind
  readonly #decoder: Transform | null
  readonly #probe: Decoding | null
  /** Null once the body is open. */
  #chunks: Buffer[] | null = []
  #heldBytes = 0
  /** The first bytes, decoded. */
  #head: Buffer = NOTHING
  #pipeline: BodyPipeline | null = null

  constructor (opener: Opener, declared: BodyKind, coding: Coding | null) {
    this.#opener = opener
    this.#declared = declared
    this.#decoder = coding === null ? null : coding.decoder()
    const look = (text: Buffer): void => { if (this.#chunks !== null) this.#sniff(text) }
    this.#probe = this.#decoder === null ? null : new Decoding(this.#decoder, look, opener)
  }

  get reader (): ResponseReader { return this.#pipeline?.reader ?? createReader('binary', '', 0) }

  push (chunk: Buffer): void {
    if (this.#chunks === null) {
      this.#pipeline?.push(chunk)
      return
    }
    if (this.#probe === null && this.#head.length === 0 && isBlank(chunk) && this.#opener.passBlank(chunk)) return
    this.#chunks.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#probe === null) this.#sniff(chunk)
    else this.#probe.push(chunk, () => { if (this.#probe?.failure !== undefined) this.#open(this.#declared) })
    if (this.#heldBytes > MAX_HELD_BYTES) this.#open(this.#declared)
  }

  finish (whole: boolean, then: (failure?: Error) => void): void {
    if (this.#probe === null || this.#chunks === null) {
      this.#open(this.#declared).finish(whole, then)
      return
    }
    void this.#probe.finish().then(() => this.#open(this.#declared).finish(whole, then))
  }

  #sniff (text: Buffer): void {
    this.#head = this.#head.length === 0 ? text : Buffer.concat([this.#head, text])
    const kind = sniffKind(this.#head)
    if (kind === 'json' && this.#declared === 'lines') this.#open('lines')
    else if (kind === 'stream' || kind === 'json') this.#open(kind)
    else if (kind === 'blank') this.#head = NOTHING
    else if (kind === null || this.#head.length > MAX_SNIFFED_BYTES) this.#open(this.#declared)
  }

  #open (kind: BodyKind): BodyPipeline {
    const pipeline = this.#pipeline ??= this.#opener.open(kind)
    const chunks = this.#chunks ?? []
    this.#chunks = null
    this.#head = NOTHING
    this.#decoder?.destroy()
    for (const chunk of chunks) pipeline.push(chunk)
    return pipeline
  }
}

const NOTHING = Buffer.alloc(0)
