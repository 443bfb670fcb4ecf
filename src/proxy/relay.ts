import type { ServerResponse } from 'node:http'
import { type Coding, codingOf } from './content-coding.js'
import { Decoding } from './decoding.js'
import { Delivery, type Keep, type Source } from './delivery.js'
import { endToEndHeaders } from './hop-by-hop.js'
import { type ResponseReader, StreamReader, createReader } from './response-reader.js'
import type { UpstreamExchange, UpstreamHandler } from './upstream.js'

/** How a call upstream went, at the moment from which its record can be made. */
export type Outcome =
  /** The whole answer came, or the event that ends a stream; its end is held back. */
  | { readonly kind: 'answered' }
  /** The answer broke off. */
  | { readonly kind: 'cut', readonly error: Error }
  /** There was none. */
  | { readonly kind: 'unanswered', readonly error: Error }
  | { readonly kind: 'caller_gone' }
  /** The upstream does not know `stream_options`. Nothing went to the caller: ask again without. */
  | { readonly kind: 'usage_refused' }

export interface RelayOptions {
  readonly res: ServerResponse
  /** The gateway asked for usage: the answer's traces of that are taken out again. */
  readonly strip: boolean
  readonly payloadMaxBytes: number
  /** Monotonic milliseconds. */
  readonly monotonicMs: () => number
}

interface Head {
  readonly statusCode: number
  readonly statusMessage: string
  readonly rawHeaders: string[]
}

/** Of an answer that may be a refusal of `stream_options`, what is read before deciding. */
const MAX_REFUSAL_BYTES = 64 * 1024
const MAX_DECODED_REFUSAL_BYTES = 1024 * 1024

/** What a client may parse as soon as it looks whole. */
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\b/

/**
 * One call's answer on its way from upstream to the caller, with the books reading along. `outcome` resolves once, when
 * all is known that the record needs; the answer's end goes out at `release`.
 */
export class Relay implements UpstreamHandler {
  readonly outcome: Promise<Outcome>
  readonly #options: RelayOptions
  readonly #delivery: Delivery
  #settle: (outcome: Outcome) => void = () => {}
  #exchange: UpstreamExchange | null = null
  #head: Head | null = null
  #reader: ResponseReader | null = null
  #onChunk: (chunk: Buffer) => void = () => {}
  /** The body is over, with its proper end if it is `whole`: what is still being decoded goes on its way first. */
  #flush: (whole: boolean, then: (failure?: Error) => void) => void = (_whole, then) => then()
  /** What of the last chunk so far waits for the next: where a client can take it for the end, its end waits for the record. */
  #keep: Keep = 'nothing'
  /** What keeps upstream from sending on. */
  readonly #pausedBy = new Set<'caller' | 'decoder'>()
  /** A 400 or 422 to a request that the gateway changed, until it is known what it means. */
  #refusal: { readonly head: Head, readonly chunks: Buffer[], sizeBytes: number } | null = null
  firstByteAtMs: number | null = null

  constructor (options: RelayOptions) {
    this.#options = options
    this.#delivery = new Delivery(options.res, this.#source('caller'))
    this.outcome = new Promise(resolve => { this.#settle = resolve })
  }

  get head (): Head | null { return this.#head }
  get reader (): ResponseReader | null { return this.#reader }
  /** Body bytes of the caller's response. */
  get sizeBytes (): number { return this.#delivery.sizeBytes }

  attach (exchange: UpstreamExchange): void {
    this.#exchange = exchange
  }

  /** The caller left: upstream stops at once. */
  callerGone (reason: Error): void {
    this.#settle({ kind: 'caller_gone' })
    this.#exchange?.abort(reason)
  }

  release (): void {
    this.#delivery.release()
  }

  onHeaders (statusCode: number, statusMessage: string, rawHeaders: string[]): void {
    const head = { statusCode, statusMessage, rawHeaders }
    if (this.#options.strip && isRefusal(statusCode)) this.#refusal = { head, chunks: [], sizeBytes: 0 }
    else this.#begin(head)
  }

  onData (chunk: Buffer): void {
    this.firstByteAtMs ??= this.#options.monotonicMs()
    if (this.#refusal === null) {
      this.#onChunk(chunk)
      return
    }
    this.#refusal.chunks.push(chunk)
    this.#refusal.sizeBytes += chunk.length
    if (this.#refusal.sizeBytes > MAX_REFUSAL_BYTES) this.#passRefusal()
  }

  onEnd (trailers: string[]): void {
    if (this.#refusal !== null) {
      if (isAboutUsage(this.#refusal.head, Buffer.concat(this.#refusal.chunks))) {
        this.#settle({ kind: 'usage_refused' })
        return
      }
      this.#passRefusal()
    }
    this.#flush(true, failure => {
      if (failure === undefined) this.#delivery.end(trailers)
      else this.#delivery.cut()
      this.#settle(failure === undefined ? { kind: 'answered' } : { kind: 'cut', error: failure })
    })
  }

  onError (error: Error): void {
    if (this.#refusal !== null) this.#passRefusal()
    if (this.#head === null) {
      this.#settle({ kind: 'unanswered', error })
      return
    }
    this.#flush(false, () => {
      this.#delivery.cut()
      this.#settle({ kind: 'cut', error })
    })
  }

  /** The exchange flows while nobody holds it. */
  #source (reader: 'caller' | 'decoder'): Source {
    return {
      pause: () => {
        this.#pausedBy.add(reader)
        this.#exchange?.pause()
      },
      resume: () => {
        if (this.#pausedBy.delete(reader) && this.#pausedBy.size === 0) this.#exchange?.resume()
      }
    }
  }

  /** It was the caller's own mistake: the answer goes on as any other. */
  #passRefusal (): void {
    if (this.#refusal === null) return
    const { head, chunks } = this.#refusal
    this.#refusal = null
    this.#begin(head)
    for (const chunk of chunks) this.#onChunk(chunk)
  }

  #begin (head: Head): void {
    const contentType = headerValue(head.rawHeaders, 'content-type')?.toLowerCase() ?? ''
    const coding = codingOf(headerValue(head.rawHeaders, 'content-encoding'))
    const isStream = contentType.startsWith('text/event-stream')
    const strip = this.#options.strip && isStream && coding !== undefined
    this.#delivery.begin(head.statusCode, head.statusMessage, endToEndHeaders(head.rawHeaders, name => strip && name === 'content-length'))
    this.#head = head
    // Behind a body without a length there is still its last chunk to wait for the record.
    const hasLength = !strip && headerValue(head.rawHeaders, 'content-length') !== null
    this.#keep = JSON_TYPE.test(contentType) ? 'chunk' : hasLength ? 'byte' : 'nothing'

    if (isStream) this.#delivery.flushHeaders()
    if (!isStream || coding === undefined) this.#relayBody(contentType, coding)
    else if (coding === null) this.#relayStream(strip)
    else if (strip) this.#recodeStream(coding)
    else this.#relayCodedStream(coding)
  }

  /** Any body but a stream that can be read: its end is held, its decoded text is read along. */
  #relayBody (contentType: string, coding: Coding | null | undefined): void {
    const reader = createReader(coding === undefined ? 'application/octet-stream' : contentType, this.#options.payloadMaxBytes)
    this.#reader = reader
    let read = (chunk: Buffer): void => reader.push(chunk)
    if (coding != null) {
      const decoding = new Decoding(coding.decoder(), text => reader.push(text), this.#source('decoder'))
      read = chunk => decoding.push(chunk, () => {})
      this.#flush = (_whole, then) => { void decoding.finish().then(() => then()) }
    }
    this.#onChunk = chunk => {
      read(chunk)
      this.#delivery.send(chunk, this.#keep)
    }
  }

  #relayStream (strip: boolean): void {
    const reader = new StreamReader(strip ? 'strip' : 'watch', this.#options.payloadMaxBytes)
    this.#reader = reader
    this.#onChunk = chunk => this.#passEvents(reader, chunk, this.#delivery)
    this.#flush = (_whole, then) => {
      const rest = reader.tee.finish()
      if (rest !== null) this.#delivery.hold(rest)
      then()
    }
  }

  /** A compressed stream: its chunks go on as they are once it is known whether they hold the final event. */
  #relayCodedStream (coding: Coding): void {
    const reader = new StreamReader('watch', this.#options.payloadMaxBytes)
    this.#reader = reader
    const decoding = new Decoding(coding.decoder(), text => { reader.pass(text) }, this.#source('decoder'))
    this.#onChunk = chunk => decoding.push(chunk, () => {
      if (!reader.tee.ended) this.#delivery.send(chunk, this.#keep)
      else this.#holdEnd(chunk, this.#delivery)
    })
    this.#flush = (_whole, then) => {
      void decoding.finish().then(() => {
        reader.tee.finish()
        then()
      })
    }
  }

  /** A compressed stream that has to be changed: decoded, stripped, and coded again as it was. */
  #recodeStream (coding: Coding): void {
    const reader = new StreamReader('strip', this.#options.payloadMaxBytes)
    this.#reader = reader
    const encoder = coding.encoder()
    const decoder = coding.decoder()
    const code = (chunk: Buffer): void => {
      if (!encoder.write(chunk)) decoder.pause()
      encoder.flush()
    }
    encoder.on('drain', () => decoder.resume())
    encoder.on('data', (chunk: Buffer) => {
      if (reader.tee.ended || encoder.writableEnded) this.#delivery.hold(chunk)
      else this.#delivery.send(chunk, this.#keep)
    })
    const decoding = new Decoding(decoder, text => this.#passEvents(reader, text, { send: code, hold: code }), this.#source('decoder'))
    this.#onChunk = chunk => decoding.push(chunk, () => {
      if (decoding.failure !== undefined) this.#exchange?.abort(decoding.failure)
    })
    this.#flush = (whole, then) => {
      void decoding.finish().then(() => {
        const rest = reader.tee.finish()
        if (rest !== null) encoder.write(rest)
        if (!whole || decoding.failure !== undefined) {
          encoder.flush(() => then(decoding.failure))
          return
        }
        encoder.on('end', () => then())
        encoder.end()
      })
    }
  }

  #passEvents (reader: StreamReader, chunk: Buffer, to: Pick<Delivery, 'send' | 'hold'>): void {
    const { tee } = reader
    const rest = tee.ended ? chunk : null
    if (rest === null) {
      const passed = reader.pass(chunk)
      if (passed !== null) to.send(passed, this.#keep)
    }
    if (tee.ended) this.#holdEnd(rest ?? tee.takeHeld(), to)
  }

  /** The event that ends the stream, and what is behind it: all that the record needs is known. */
  #holdEnd (chunk: Buffer, to: Pick<Delivery, 'hold'>): void {
    to.hold(chunk)
    this.#settle({ kind: 'answered' })
  }
}

/** Whether an upstream's refusal is about what the gateway added to the request. */
function isAboutUsage (head: Head, body: Buffer): boolean {
  const coding = codingOf(headerValue(head.rawHeaders, 'content-encoding'))
  const text = (coding == null ? body : coding.decode(body, MAX_DECODED_REFUSAL_BYTES) ?? body).toString()
  return text.includes('stream_options') || text.includes('include_usage')
}

/** The statuses with which servers refuse a member that they do not know. */
const isRefusal = (statusCode: number): boolean => statusCode === 400 || statusCode === 422

/** The first value of a header, as it came. */
export function headerValue (rawHeaders: readonly string[], lowerCaseName: string): string | null {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === lowerCaseName.length && rawHeaders[i]?.toLowerCase() === lowerCaseName) return rawHeaders[i + 1] ?? ''
  }
  return null
}
