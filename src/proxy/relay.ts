import type { ServerResponse } from 'node:http'
import type { Transform } from 'node:stream'
import { type Coder, codingOf } from './content-coding.js'
import { Delivery } from './delivery.js'
import { endToEndHeaders } from './hop-by-hop.js'
import { type ResponseReader, StreamReader, createReader, decodeInto } from './response-reader.js'
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
  #onDone: (trailers: string[]) => void
  /** A 400 or 422 to a request that the gateway changed, until it is known what it means. */
  #refusal: { readonly head: Head, readonly chunks: Buffer[], sizeBytes: number } | null = null
  firstByteAtMs: number | null = null

  constructor (options: RelayOptions) {
    this.#options = options
    this.#delivery = new Delivery(options.res, { pause: () => this.#exchange?.pause(), resume: () => this.#exchange?.resume() })
    this.#onDone = trailers => this.#answered(trailers)
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
    if (this.#options.strip && (statusCode === 400 || statusCode === 422)) this.#refusal = { head, chunks: [], sizeBytes: 0 }
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
      const text = Buffer.concat(this.#refusal.chunks).toString()
      if (text.includes('stream_options') || text.includes('include_usage')) {
        this.#settle({ kind: 'usage_refused' })
        return
      }
      this.#passRefusal()
    }
    this.#onDone(trailers)
  }

  onError (error: Error): void {
    if (this.#refusal !== null) this.#passRefusal()
    if (this.#head === null) {
      this.#settle({ kind: 'unanswered', error })
      return
    }
    this.#delivery.cut()
    this.#settle({ kind: 'cut', error })
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
    this.#head = head
    const contentType = headerValue(head.rawHeaders, 'content-type')?.toLowerCase() ?? ''
    const coding = codingOf(headerValue(head.rawHeaders, 'content-encoding'))
    const isStream = contentType.startsWith('text/event-stream')
    const strip = this.#options.strip && isStream && coding !== undefined
    this.#delivery.begin(head.statusCode, head.statusMessage, endToEndHeaders(head.rawHeaders, name => strip && name === 'content-length'))

    if (isStream) this.#delivery.flushHeaders()
    if (isStream && coding === null) this.#relayStream(new StreamReader(strip ? 'strip' : 'watch', this.#options.payloadMaxBytes))
    else if (strip && coding != null) this.#relayCodedStream(coding.decoder(), coding.encoder())
    else this.#relayBody(contentType, coding)
  }

  #answered (trailers: string[]): void {
    this.#delivery.end(trailers)
    this.#settle({ kind: 'answered' })
  }

  /** Any body but a stream that can be read: its end is held, its decoded text is read along. */
  #relayBody (contentType: string, coding: ReturnType<typeof codingOf>): void {
    const keep = contentType.includes('json') ? 'chunk' : 'byte'
    const reader = createReader(coding === undefined ? 'application/octet-stream' : contentType, this.#options.payloadMaxBytes)
    this.#reader = reader
    if (coding == null) {
      this.#onChunk = chunk => {
        reader.push(chunk)
        this.#delivery.keepBack(chunk, keep)
      }
      return
    }
    const decoded = decodeInto(reader, coding.decoder())
    this.#onChunk = chunk => {
      decoded.push(chunk)
      this.#delivery.keepBack(chunk, keep)
    }
    this.#onDone = trailers => { void decoded.finished().then(() => this.#answered(trailers)) }
  }

  #relayStream (reader: StreamReader): void {
    this.#reader = reader
    this.#onChunk = chunk => this.#passEvents(reader, chunk, this.#delivery)
    this.#onDone = trailers => {
      const rest = reader.tee.finish()
      if (rest !== null) this.#delivery.send(rest)
      this.#answered(trailers)
    }
  }

  /** A compressed stream that has to be changed: decoded, stripped, and coded again as it was. */
  #relayCodedStream (decoder: Transform, encoder: Coder): void {
    const reader = new StreamReader('strip', this.#options.payloadMaxBytes)
    this.#reader = reader
    const code = (chunk: Buffer): void => {
      encoder.write(chunk)
      encoder.flush()
    }
    encoder.on('data', (chunk: Buffer) => {
      if (reader.tee.ended) this.#delivery.hold(chunk)
      else this.#delivery.keepBack(chunk, 'byte')
    })
    decoder.on('data', (chunk: Buffer) => this.#passEvents(reader, chunk, { send: code, hold: code }))
    decoder.on('error', error => this.onError(error))
    this.#onChunk = chunk => { decoder.write(chunk) }
    this.#onDone = trailers => {
      decoder.on('end', () => {
        const rest = reader.tee.finish()
        if (rest !== null) encoder.write(rest)
        encoder.on('end', () => this.#answered(trailers))
        encoder.end()
      })
      decoder.end()
    }
  }

  #passEvents (reader: StreamReader, chunk: Buffer, to: Pick<Delivery, 'send' | 'hold'>): void {
    const { tee } = reader
    const rest = tee.ended ? chunk : null
    if (rest === null) {
      const passed = reader.pass(chunk)
      if (passed !== null) to.send(passed)
    }
    if (!tee.ended) return
    to.hold(rest ?? tee.takeHeld())
    this.#settle({ kind: 'answered' })
  }
}

/** The first value of a header, as it came. */
export function headerValue (rawHeaders: readonly string[], lowerCaseName: string): string | null {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === lowerCaseName.length && rawHeaders[i]?.toLowerCase() === lowerCaseName) return rawHeaders[i + 1] ?? ''
  }
  return null
}
