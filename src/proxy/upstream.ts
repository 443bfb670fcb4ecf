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

/** Receives the answer. After `onEnd` or `onError` nothing more is called; `onError` may come without `onHeaders`. */
export interface UpstreamHandler {
  onHeaders: (statusCode: number, statusMessage: string, rawHeaders: string[]) => void
  onData: (chunk: Buffer) => void
  onEnd: (rawTrailers: string[]) => void
  onError: (error: Error) => void
}

/** Controls a call in flight. */
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

/** The size limit of request and response headers. */
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

/**
 * After this much of an answer other calls run: a full socket hands over megabytes in one turn of the event
 * loop. Half as much made 2,000 open streams take 280 instead of 200 KiB each: undici holds on to what it pauses within.
 */
const TURN_BYTES = 128 * 1024
/** What a chunk costs besides its bytes, of which it may have one. */
const CHUNK_BYTES = 64

/** undici's handler on one side, the gateway's on the other. */
class Exchange implements Dispatcher.DispatchHandler, UpstreamExchange {
  readonly #handler: UpstreamHandler
  /** While the request has a connection: afterwards that serves another. */
  #controller: Dispatcher.DispatchController | null = null
  #paused = false
  #turnBytes = 0
  /** Until the next turn of the event loop. */
  #resting = false
  #statusCode = 0
  #abortReason: Error | null = null

  constructor (handler: UpstreamHandler) {
    this.#handler = handler
  }

  pause (): void {
    this.#paused = true
    this.#controller?.pause()
  }

  resume (): void {
    this.#paused = false
    if (!this.#resting) this.#controller?.resume()
  }

  abort (reason: Error): void {
    this.#abortReason ??= reason
    this.#controller?.abort(reason)
  }

  onRequestStart (controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#paused) controller.pause()
    // The caller left while the request waited for a connection.
    if (this.#abortReason !== null) controller.abort(this.#abortReason)
  }

  onResponseStart (
    { rawHeaders }: Dispatcher.DispatchController, statusCode: number, _: unknown, statusMessage = ''
  ): void {
    if (statusCode < 200) return
    this.#statusCode = statusCode
    this.#handler.onHeaders(statusCode, reasonPhrase(statusMessage), decodeRaw(rawHeaders))
  }

  onResponseData (controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onData(chunk)
    this.#turnBytes += CHUNK_BYTES + chunk.length
    if (this.#turnBytes >= TURN_BYTES) this.#rest(controller)
  }

  #rest (controller: Dispatcher.DispatchController): void {
    this.#turnBytes = 0
    this.#resting = true
    controller.pause()
    setImmediate(() => {
      this.#resting = false
      if (!this.#paused) this.#controller?.resume()
    })
  }

  onResponseEnd ({ rawTrailers }: Dispatcher.DispatchController): void {
    this.#controller = null
    this.#handler.onEnd(decodeRaw(rawTrailers))
  }

  onResponseError (_: unknown, error: Error): void {
    this.#controller = null
    // A 304 may say how long the body is that it does not have (RFC 9110 §8.6), and a 204 does. To undici it broke off.
    const hasNoBody = this.#statusCode === 304 || this.#statusCode === 204
    if (hasNoBody && error instanceof errors.ResponseContentLengthMismatchError) this.#handler.onEnd([])
    else this.#handler.onError(error)
  }
}

/** undici reads the reason phrase, and only that, as UTF-8. */
function reasonPhrase (text: string): string {
  return /[^\x20-\x7e]/.test(text) ? Buffer.from(text).toString('latin1') : text
}

/** Header bytes are Latin-1 to Node on both sides: what comes in goes out as it was. */
function decodeRaw (raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  // HTTP/1.1 comes as a list: only HTTP/2, which the pool does not speak, has an object.
  return Array.isArray(raw) ? raw.map(part => typeof part === 'string' ? part : part.toString('latin1')) : []
}

/**
 * The error for a caller whose upstream gave no answer at all. The message names no address beyond the error's code.
 */
export function toGatewayError (error: Error, timeoutMs: number): GatewayError {
  if (error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError) return upstreamTimeout(timeoutMs)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return upstreamUnreachable(code)
}
