import type { ServerResponse } from 'node:http'
import { type BodyKind, declaredKind } from '../decoders/body-kind.js'
import { type Coding, codingOf } from '../decoders/content-coding.js'
import { HeldResponse, type Holder } from './held-response.js'
import { endToEndHeaders, headerValue, isNamed, listValue } from './hop-by-hop.js'
import {
  type Channel, type BodyPipeline, PlainPipeline, StreamPipeline, codedPipeline, codedStreamPipeline, recodedStreamPipeline
} from './response-pipeline.js'
import { type KeepLimits, type ResponseReader, createReader } from '../metering/response-reader.js'
import { type Opener, SniffedPipeline } from './sniffed-pipeline.js'
import type { UpstreamExchange, UpstreamHandler } from './upstream.js'

/** How a call upstream went, as soon as its record can be made. */
export type Outcome =
  /** The whole answer came, or the event that ends a stream; its end is held back. */
  | { readonly kind: 'answered' }
  /** The answer broke off. */
  | { readonly kind: 'cut', readonly error: Error }
  /** There was none. */
  | { readonly kind: 'unanswered', readonly error: Error }
  | { readonly kind: 'caller_gone' }
  /**
   * The upstream rejected a request to which the gateway had added something. Nothing went to the caller: ask again
   * without.
   */
  | { readonly kind: 'usage_refused' }

export interface RelayOptions {
  readonly res: ServerResponse
  /** The gateway asked for usage: the answer's traces of that are taken out again. */
  readonly strip: boolean
  /** The request is for a stream. */
  readonly expectsStream: boolean
  readonly limits: KeepLimits
  /** Monotonic milliseconds. */
  readonly monotonicMs: () => number
}

interface Head {
  readonly statusCode: number
  readonly statusMessage: string
  readonly rawHeaders: string[]
}

/** Of an answer that no caller gets, what is read so that its connection can be used again. */
const MAX_REJECTION_BYTES = 64 * 1024

/**
 * One call's answer on its way from upstream to the caller. `outcome` resolves once, when all is known that the record
 * needs; the answer's end goes out at `release`.
 */
export class Relay implements UpstreamHandler, Opener {
  readonly outcome: Promise<Outcome>
  readonly #options: RelayOptions
  readonly #response: HeldResponse
  #settle: (outcome: Outcome) => void = notAwaited
  #exchange: UpstreamExchange | null = null
  #head: Head | null = null
  #coding: Coding | null | undefined = null
  #isHeadBegun = false
  #isHeadFlushed = false
  /** The caller's response has a `Content-Length`. */
  #hasLength = false
  #pipeline: BodyPipeline | null = null
  #isCallerGone = false
  /** Who keeps upstream from sending on. */
  #pausedBy: Set<Holder> | null = null
  /** Bytes of an answer that is dropped: it rejects what the gateway added. */
  #rejectedBytes: number | null = null
  firstByteAtMs: number | null = null
  /** The answer's `Content-Encoding`, where it cannot be read here. */
  unreadCoding: string | null = null

  constructor (options: RelayOptions) {
    this.#options = options
    this.#response = new HeldResponse(options.res, this)
    this.outcome = new Promise(resolve => { this.#settle = resolve })
  }

  get head (): Head | null { return this.#head }
  get reader (): ResponseReader | null { return this.#pipeline?.reader ?? null }
  /** Body bytes of the caller's response. */
  get sizeBytes (): number { return this.#response.sizeBytes }

  attach (exchange: UpstreamExchange): void {
    this.#exchange = exchange
  }

  /** The caller left: upstream stops at once. */
  callerGone (reason: Error): void {
    this.#isCallerGone = true
    // What came of a body that is not known yet is read first, for the books.
    if (this.#pipeline instanceof SniffedPipeline) this.#pipeline.finish(false, () => this.#settle(CALLER_GONE))
    else this.#settle(CALLER_GONE)
    this.#exchange?.abort(reason)
    this.resume('caller')
  }

  release (): void {
    this.#response.release()
  }

  pause (holder: Holder): void {
    this.#pausedBy ??= new Set()
    this.#pausedBy.add(holder)
    this.#exchange?.pause()
    if (holder === 'caller') this.#pipeline?.pause?.()
  }

  /** The exchange flows while it is not held. */
  resume (holder: Holder): void {
    if (this.#pausedBy?.delete(holder) !== true) return
    if (holder === 'caller') this.#pipeline?.resume?.()
    if (this.#pausedBy.size === 0) this.#exchange?.resume()
  }

  /** The request was sent again: what is left of this answer is not waited for. */
  abandon (): void {
    this.#exchange?.abort(new Error('The response is no longer needed.'))
  }

  onHeaders (statusCode: number, statusMessage: string, rawHeaders: string[]): void {
    if (!this.#options.strip || !isRejection(statusCode)) {
      this.#begin({ statusCode, statusMessage, rawHeaders })
      return
    }
    this.#rejectedBytes = 0
    this.#settle({ kind: 'usage_refused' })
  }

  onData (chunk: Buffer): void {
    if (this.#rejectedBytes === null) {
      this.firstByteAtMs ??= this.#options.monotonicMs()
      this.#pipeline?.push(chunk)
      return
    }
    this.#rejectedBytes += chunk.length
    if (this.#rejectedBytes > MAX_REJECTION_BYTES) this.abandon()
  }

  onEnd (trailers: string[]): void {
    this.#pipeline?.finish(true, failure => {
      if (failure === undefined) this.#response.end(trailers)
      else this.#response.cut()
      this.#settle(failure === undefined ? ANSWERED : { kind: 'cut', error: failure })
    })
  }

  onError (error: Error): void {
    if (this.#pipeline === null) {
      this.#settle({ kind: 'unanswered', error })
      return
    }
    this.#pipeline.finish(false, () => {
      this.#response.cut()
      this.#settle(this.#isCallerGone ? CALLER_GONE : { kind: 'cut', error })
    })
  }

  #begin (head: Head): void {
    this.#head = head
    const contentType = headerValue(head.rawHeaders, 'content-type')?.toLowerCase() ?? ''
    const contentEncoding = listValue(head.rawHeaders, 'content-encoding')
    this.#coding = codingOf(contentEncoding)
    if (this.#coding === undefined) this.unreadCoding = contentEncoding
    const declared = declaredKind(contentType)
    // A stream that is stripped has another length, and maybe no coding. Its first bytes say if it is one.
    const changes = headerValue(head.rawHeaders, 'content-length') !== null || this.#coding?.encoder === null
    const waits = this.#options.strip && declared !== 'stream' && this.#coding !== undefined && changes
    if (!waits) this.#beginHead(declared === 'stream')
    // To look into a compressed body costs a decoder more: not where it is what the request is for.
    const isExpected = declared === (this.#options.expectsStream ? 'stream' : 'json')
    const isTrusted = this.#coding !== null && isExpected
    if (this.#coding === undefined || isTrusted) this.open(declared)
    else this.#pipeline = new SniffedPipeline(this, declared, this.#coding)
  }

  /** The head goes out, or waits for the first bytes of the body to go with it. */
  #beginHead (isStream: boolean): void {
    if (this.#head === null || this.#isHeadBegun) return
    const { statusCode, statusMessage, rawHeaders } = this.#head
    this.#isHeadBegun = true
    const isStripped = this.#options.strip && isStream && this.#coding !== undefined
    // A stream that is stripped and cannot be coded again goes on decoded.
    const isDecoded = isStripped && this.#coding?.encoder === null
    this.#response.begin(statusCode, statusMessage, endToEndHeaders(rawHeaders, name =>
      isStripped && (isNamed(name, 'content-length') || (isDecoded && isNamed(name, 'content-encoding')))))
    this.#hasLength = !isStripped && headerValue(rawHeaders, 'content-length') !== null
    if (isStream) this.#flushHead()
  }

  /** The head goes out before there is a body. */
  #flushHead (): void {
    if (!this.#isHeadFlushed) this.#response.flushHeaders()
    this.#isHeadFlushed = true
  }

  passBlank (bytes: Buffer): boolean {
    if (!this.#isHeadBegun) return false
    this.#flushHead()
    this.#response.send(bytes, this.#hasLength ? 'byte' : 'nothing')
    return true
  }

  open (kind: BodyKind): BodyPipeline {
    const { limits, strip } = this.#options
    const isStream = kind === 'stream'
    this.#beginHead(isStream)
    if (isStream) this.#flushHead()
    const channel: Channel = {
      response: this.#response,
      // Behind a body without a length there is still its last chunk to wait for the record.
      keep: kind === 'json' ? 'chunk' : this.#hasLength ? 'byte' : 'nothing',
      source: this,
      ended: () => this.#settle(ANSWERED),
      abort: reason => this.#exchange?.abort(reason)
    }
    const coding = this.#coding
    const max = limits.payloadMaxBytes
    const contentType = headerValue(this.#head?.rawHeaders ?? [], 'content-type')?.toLowerCase() ?? ''
    const reader = (): ResponseReader => createReader(kind, contentType, max)
    if (coding === undefined) {
      this.#pipeline = new PlainPipeline(
        channel, createReader('binary', 'application/octet-stream', max)
      )
    } else if (isStream && coding === null) this.#pipeline = new StreamPipeline(channel, strip, limits)
    else if (coding === null) this.#pipeline = new PlainPipeline(channel, reader())
    else if (!isStream) this.#pipeline = codedPipeline(channel, reader(), coding)
    else if (strip) this.#pipeline = recodedStreamPipeline(channel, coding, limits)
    else this.#pipeline = codedStreamPipeline(channel, coding, limits)
    return this.#pipeline
  }
}

const ANSWERED: Outcome = { kind: 'answered' }
const CALLER_GONE: Outcome = { kind: 'caller_gone' }
const notAwaited = (): void => {}

/** The statuses with which servers reject a member that they do not know. */
const isRejection = (statusCode: number): boolean => statusCode === 400 || statusCode === 422
