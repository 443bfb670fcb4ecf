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
  stats: () => { readonly connected: number, readonly free: number, readonly running: number, readonly queued: number }
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
  const basePath = baseUrl.pathname.replace(/\/+$/, '')
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
      pool.dispatch({ ...request, path: path.startsWith('/') ? path : `/${path}`, method: request.method }, exchange)
      return exchange
    },
    stats: () => pool.stats,
    close: () => pool.destroy()
  }
}

/** undici's handler on one side, the gateway's on the other. */
class Exchange implements Dispatcher.DispatchHandler, UpstreamExchange {
  readonly #handler: UpstreamHandler
  #controller: Dispatcher.DispatchController | null = null
  #statusCode = 0
  #abortReason: Error | null = null

  constructor (handler: UpstreamHandler) {
    this.#handler = handler
  }

  pause (): void { this.#controller?.pause() }
  resume (): void { this.#controller?.resume() }

  abort (reason: Error): void {
    this.#abortReason = reason
    this.#controller?.abort(reason)
  }

  onRequestStart (controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // The caller left while the request waited for a connection.
    if (this.#abortReason !== null) controller.abort(this.#abortReason)
  }

  onResponseStart (controller: Dispatcher.DispatchController, statusCode: number, _headers: unknown, statusMessage = ''): void {
    if (statusCode < 200) return
    this.#statusCode = statusCode
    // undici reads the reason phrase, and only that, as UTF-8.
    this.#handler.onHeaders(statusCode, Buffer.from(statusMessage).toString('latin1'), decodeRaw(controller.rawHeaders))
  }

  onResponseData (_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onData(chunk)
  }

  onResponseEnd (controller: Dispatcher.DispatchController): void {
    this.#controller = null // Its connection serves another call from here on.
    this.#handler.onEnd(decodeRaw(controller.rawTrailers))
  }

  onResponseError (_controller: Dispatcher.DispatchController, error: Error): void {
    this.#controller = null
    // A 304 may say how long the body is that it does not have (RFC 9110 §8.6); to undici it broke off.
    if (this.#statusCode === 304 && error instanceof errors.ResponseContentLengthMismatchError) this.#handler.onEnd([])
    else this.#handler.onError(error)
  }
}

/** Header bytes are Latin-1 to Node on both sides: what comes in goes out as it was. */
function decodeRaw (raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return []
  return raw.map(part => typeof part === 'string' ? part : part.toString('latin1'))
}

/** What a caller is told where the upstream gave no answer at all. The message names no address beyond the error's code. */
export function toGatewayError (error: Error, timeoutMs: number): GatewayError {
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) return upstreamTimeout(timeoutMs)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return upstreamUnreachable(code)
}
