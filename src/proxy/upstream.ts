import type { Readable } from 'node:stream'
import { type Dispatcher, Pool, errors } from 'undici'
import { type GatewayError, upstreamTimeout, upstreamUnreachable } from '../errors.js'

/** One request as it goes upstream. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query behind `/v1`, as the caller wrote them. */
  readonly path: string
  /** Flat list of names and values, end-to-end only. */
  readonly headers: string[]
  readonly body: Buffer | Readable | null
}

/** The answer, as it comes. After `onEnd` or `onError` nothing more is called; `onError` may come without `onHeaders`. */
export interface UpstreamHandler {
  onHeaders: (statusCode: number, statusMessage: string, rawHeaders: string[]) => void
  onData: (chunk: Buffer) => void
  onEnd: (rawTrailers: string[]) => void
  onError: (error: Error) => void
}

/** The caller's hand on a call under way. */
export interface UpstreamExchange {
  pause: () => void
  resume: () => void
  abort: (reason: Error) => void
}

export interface Upstream {
  /** Sends the request once; it is never retried. */
  forward: (request: UpstreamRequest, handler: UpstreamHandler) => UpstreamExchange
  /** Connections, `free` of them without a request; requests that run, and that wait for a connection. */
  stats: () => { readonly connected: number, readonly free: number, readonly running: number, readonly pending: number }
  close: () => Promise<void>
}

/** Request and response headers up to this size pass. */
export const MAX_HEADER_BYTES = 128 * 1024

/**
 * The OpenAI-compatible server behind the gateway, over a pool of HTTP/1.1 connections of its own size.
 *
 * @param baseUrl `UPSTREAM_BASE_URL`: what callers' `/v1` stands for
 * @param timeoutMs longest wait for headers, and between two chunks
 */
export function createUpstream (baseUrl: URL, timeoutMs: number): Upstream {
  const basePath = baseUrl.pathname.replace(/(?<!\/)\/+$/, '')
  const pool = new Pool(baseUrl.origin, {
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    pipelining: 1,
    maxHeaderSize: MAX_HEADER_BYTES
  })
  return {
    forward (request, handler) {
      const exchange = new Exchange(handler)
      const path = basePath + request.path
      pool.dispatch({
        method: request.method,
        path: path.startsWith('/') ? path : `/${path}`,
        headers: request.headers,
        body: request.body
      }, exchange)
      return exchange
    },
    stats: () => pool.stats,
    close: () => pool.destroy()
  }
}

/** After so much of an answer others have their turn: a full socket hands over megabytes in one turn of the event loop. */
const TURN_BYTES = 128 * 1024
/** What a chunk costs besides its bytes, of which it may have one. */
const CHUNK_BYTES = 64

/**
 * undici's handler on one side, the gateway's on the other. It is undici's older handler, which its newer one is built
 * upon: that makes an object of every call's headers, and nobody here wants one.
 */
class Exchange implements Dispatcher.DispatchHandler, UpstreamExchange {
  readonly #handler: UpstreamHandler
  #abort: ((reason: Error) => void) | null = null
  #resume: (() => void) | null = null
  #paused = false
  #turnBytes = 0
  /** Until the next turn of the event loop. */
  #resting = false
  #statusCode = 0
  #abortReason: Error | null = null

  constructor (handler: UpstreamHandler) {
    this.#handler = handler
  }

  pause (): void { this.#paused = true }

  resume (): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.#resting) this.#resume?.()
  }

  abort (reason: Error): void {
    this.#abortReason ??= reason
    this.#abort?.(reason)
  }

  onConnect (abort: (reason?: Error) => void): void {
    this.#abort = abort
    // The caller left while the request waited for a connection.
    if (this.#abortReason !== null) abort(this.#abortReason)
  }

  /** @returns whether undici may go on reading */
  onHeaders (statusCode: number, rawHeaders: Buffer[], resume: () => void, statusMessage: string): boolean {
    this.#resume = resume
    if (statusCode < 200) return true
    this.#statusCode = statusCode
    this.#handler.onHeaders(statusCode, reasonPhrase(statusMessage), decodeRaw(rawHeaders))
    return !this.#paused
  }

  onData (chunk: Buffer): boolean {
    this.#handler.onData(chunk)
    this.#turnBytes += CHUNK_BYTES + chunk.length
    if (this.#turnBytes >= TURN_BYTES) this.#rest()
    return !this.#paused && !this.#resting
  }

  #rest (): void {
    this.#turnBytes = 0
    this.#resting = true
    setImmediate(() => {
      this.#resting = false
      if (!this.#paused) this.#resume?.()
    })
  }

  onComplete (rawTrailers: Buffer[] | string[] | null): void {
    this.#letGo()
    this.#handler.onEnd(decodeRaw(rawTrailers))
  }

  onError (error: Error): void {
    this.#letGo()
    // A 304 may say how long the body is that it does not have (RFC 9110 §8.6), and a 204 does. To undici it broke off.
    const hasNoBody = this.#statusCode === 304 || this.#statusCode === 204
    if (hasNoBody && error instanceof errors.ResponseContentLengthMismatchError) this.#handler.onEnd([])
    else this.#handler.onError(error)
  }

  /** Its connection serves another call from here on. */
  #letGo (): void {
    this.#abort = null
    this.#resume = null
  }
}

/** undici reads the reason phrase, and only that, as UTF-8. */
function reasonPhrase (text: string): string {
  return /[^\x20-\x7e]/.test(text) ? Buffer.from(text).toString('latin1') : text
}

/** Header bytes are Latin-1 to Node on both sides: what comes in goes out as it was. */
function decodeRaw (raw: readonly (Buffer | string)[] | null): string[] {
  return raw === null ? [] : raw.map(part => typeof part === 'string' ? part : part.toString('latin1'))
}

/** What a caller is told where the upstream gave no answer at all. The message names no address beyond the error's code. */
export function toGatewayError (error: Error, timeoutMs: number): GatewayError {
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) return upstreamTimeout(timeoutMs)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return upstreamUnreachable(code)
}
