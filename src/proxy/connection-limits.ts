import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { requestTimeout } from '../errors.js'

/** How long each phase of a caller's connection may take, in milliseconds. None of them bounds a call as a whole. */
export interface ConnectionLimits {
  /** From a connection's start, or a head's first byte, to the head's end. */
  readonly headMs: number
  /** Between two reads of a body that the gateway waits for. */
  readonly bodyGapMs: number
  /** Between two writes that the caller takes, where bytes wait for it. */
  readonly writeGapMs: number
  /** Between a response's end and the next head. */
  readonly keepAliveMs: number
  /** Requests of one connection that are begun while an earlier one is not answered. */
  readonly pipelined: number
  /** How often connections are checked: the times above may be longer by this. */
  readonly lookEveryMs: number
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  headMs: 60_000,
  bodyGapMs: 90_000,
  writeGapMs: 300_000,
  // Longer than clients and load balancers keep an idle connection, so that it is they who close it.
  keepAliveMs: 72_000,
  pipelined: 32,
  lookEveryMs: 5_000
}

/** How long a caller may take to close a connection that the gateway has ended. */
const LINGER_MS = 5_000

/**
 * Bounds every phase of a caller's connection. Node times heads and idle connections. A body's gaps, a caller that does
 * not read, and pipelined requests are bounded here, by one timer for all connections: a call costs no timer.
 */
export class BoundedConnections {
  readonly #limits: ConnectionLimits
  readonly #connections = new Map<Socket, Connection>()

  constructor (limits: ConnectionLimits) {
    this.#limits = limits
  }

  /** A large body over a slow line is no fault. Without `requestTimeout`, Node has no `headersTimeout` unless told. */
  get serverOptions (): ServerOptions {
    const { headMs, keepAliveMs, lookEveryMs } = this.#limits
    return {
      requestTimeout: 0,
      headersTimeout: headMs,
      connectionsCheckingInterval: lookEveryMs,
      keepAliveTimeout: keepAliveMs
    }
  }

  watch (server: Server): void {
    server.on('connection', (socket: Socket) => {
      const connection = new Connection(socket, this.#limits)
      this.#connections.set(socket, connection)
      socket.once('close', () => {
        this.#connections.delete(socket)
        connection.closed()
      })
    })
    const timer = setInterval(() => {
      const nowMs = performance.now()
      for (const connection of this.#connections.values()) connection.look(nowMs)
    }, this.#limits.lookEveryMs).unref()
    server.once('close', () => clearInterval(timer))
  }

  /** The handler, for requests in their turn: past the limit of a connection they wait. */
  inTurn (handle: RequestListener): RequestListener {
    return (req, res) => {
      const connection = this.#connections.get(req.socket)
      if (connection === undefined) handle(req, res)
      else connection.take(req, res, handle)
    }
  }
}

/** One caller's connection, and the latest request on it. */
class Connection {
  readonly #socket: Socket
  readonly #limits: ConnectionLimits
  #req: IncomingMessage | null = null
  #res: ServerResponse | null = null
  /** Begun, and in line behind an earlier response. */
  readonly #waiting = new Set<ServerResponse>()
  /** Not begun. While there are any, the socket is not read. */
  readonly #held: Array<() => void> = []
  #staysPaused = false
  /** Each: since when nothing of it has moved. */
  readonly #body = new Still()
  readonly #writes = new Still()
  readonly #idle = new Still()
  readonly #ended = new Still()

  constructor (socket: Socket, limits: ConnectionLimits) {
    this.#socket = socket
    this.#limits = limits
  }

  take (req: IncomingMessage, res: ServerResponse, handle: RequestListener): void {
    this.#req = req
    this.#res = res
    this.#idle.moved()
    // A response that has the socket is the first in line.
    if (res.socket !== null) handle(req, res)
    else if (this.#waiting.size < this.#limits.pipelined) this.#begin(req, res, handle)
    else this.#hold(() => this.#begin(req, res, handle))
  }

  #begin (req: IncomingMessage, res: ServerResponse, handle: RequestListener): void {
    this.#waiting.add(res)
    res.once('socket', () => {
      this.#waiting.delete(res)
      const begin = this.#held.shift()
      begin?.()
      if (begin !== undefined && this.#held.length === 0) this.#socket.resume()
    })
    handle(req, res)
  }

  /** Node hands over all requests of one read, 64 kB, at once; no more is read until these have begun. */
  #hold (begin: () => void): void {
    this.#held.push(begin)
    if (this.#held.length > 1) return
    const pause = (): void => { if (this.#held.length > 0) this.#socket.pause() }
    // Node resumes it at the end of each message, and when the caller has taken what was written.
    process.nextTick(pause)
    if (!this.#staysPaused) this.#socket.on('resume', pause)
    this.#staysPaused = true
  }

  /** Node tells only the response that has the socket. */
  closed (): void {
    this.#held.length = 0
    for (const res of this.#waiting) {
      res.destroy()
      res.emit('close')
    }
    this.#waiting.clear()
  }

  look (nowMs: number): void {
    const socket = this.#socket
    if (socket.destroyed) return
    const { bodyGapMs, writeGapMs, keepAliveMs, headMs } = this.#limits
    const isAnswered = this.#res === null || this.#res.writableFinished || this.#res.destroyed
    if (isAnswered && this.#req?.complete !== false) {
      this.#req = null
      this.#res = null
    }
    // Node's own time limits know heads and keep-alive; empty lines between requests are neither.
    if (this.#idle.forMs(this.#req === null, 0, nowMs) > keepAliveMs + headMs) socket.destroy()
    if (this.#ended.forMs(socket.writableEnded, 0, nowMs) >= LINGER_MS) socket.destroy()
    if (this.#writes.forMs(socket.writableLength > 0, takenBytes(socket), nowMs) >= writeGapMs) socket.destroy()
    if (this.#req === null || this.#res === null) return
    const req = this.#req
    // What the gateway does not read, it does not wait for.
    const isAwaited = !req.complete && req.readableFlowing === true && req.readableLength === 0
    if (this.#body.forMs(isAwaited, socket.bytesRead, nowMs) >= bodyGapMs) giveUpBody(socket, req, this.#res)
  }
}

/** What Node's own time-outs go by: the stream counts a write only as a whole, its handle the bytes that are left. */
interface Handled { readonly _handle?: { readonly writeQueueSize?: number } | null }

/** The written bytes that the kernel has taken. Only the difference of two values counts. */
function takenBytes (socket: Socket & Handled): number {
  return socket.bytesWritten - socket.writableLength - (socket._handle?.writeQueueSize ?? 0)
}

/** Answers 408 by way of the body's reader, or closes the connection. */
function giveUpBody (socket: Socket, req: IncomingMessage, res: ServerResponse): void {
  if (res.headersSent && !res.writableEnded) return // The upstream answers already; its end is bounded.
  if (!res.headersSent) {
    if (req.emit('timeout', socket)) return
    if (req.listenerCount('error') > 0) {
      req.emit('error', requestTimeout())
      return
    }
  }
  socket.destroy()
}

/** How long something has waited without a change. */
class Still {
  #mark = -1
  #sinceMs = 0

  moved (): void { this.#mark = -1 }

  /** 0 while it does not wait, and when it has moved since the last look. */
  forMs (waits: boolean, mark: number, nowMs: number): number {
    if (waits && mark === this.#mark) return nowMs - this.#sinceMs
    this.#mark = waits ? mark : -1
    this.#sinceMs = nowMs
    return 0
  }
}
