import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { brotliCompressSync, constants, createBrotliCompress, createDeflate, createGzip, deflateSync, gzipSync } from 'node:zlib'

/** Part of a body: bytes to send, or a function to wait for (a pause, a gate that the test opens) before going on. */
export type Step = string | Uint8Array | (() => unknown)
export type Body = string | Uint8Array | Iterable<Step> | AsyncIterable<Step>

/** An answer with honest HTTP framing. */
export interface HttpReply {
  readonly status?: number
  /** Names and values in turn, sent in this order and case, duplicates included. */
  readonly headers?: readonly string[]
  /** One piece goes out with its `content-length`, several go out chunked, one chunk a step, unless `headers` say otherwise. */
  readonly body?: Body
  /** Compresses the body, each step flushed so that it can be decoded when it arrives, and adds `content-encoding`. */
  readonly encoding?: 'gzip' | 'br' | 'deflate'
  /** What comes after the body: its proper end; a TCP reset; nothing, the connection staying open. */
  readonly ending?: 'end' | 'reset' | 'hang'
  /** Answer once the request's body has been read (the default), or at its headers. */
  readonly at?: 'end' | 'headers'
}

/** Bytes for the socket as they are, status line included, for what HTTP forbids. The connection is not used again. */
export interface RawReply {
  readonly raw: Body
  /** What comes after the bytes: a clean FIN (the default), a TCP reset, or nothing. */
  readonly ending?: 'close' | 'reset' | 'hang'
  readonly at?: 'end' | 'headers'
}

export type Reply = HttpReply | RawReply
export type Script = Reply | ((request: UpstreamRequest) => Reply | Promise<Reply>)

/** What the upstream saw of one request. */
export class UpstreamRequest {
  readonly method: string
  /** Path and query as they stood in the request line. */
  readonly url: string
  readonly rawHeaders: readonly string[]
  /** Counted from 0: which of the upstream's connections the request came on. */
  readonly connection: number
  /** Resolves with the whole body; never, if the request is cut. */
  readonly received: Promise<Buffer>
  /** How it ended: the script ran to its end, or the other side closed the connection first. */
  readonly closed: Promise<'answered' | 'aborted'>
  aborted = false
  receivedBytes = 0
  /** Body bytes that the connection has taken. It stops growing while the reader does not read. */
  sentBytes = 0
  private readonly chunks: Buffer[] = []
  private readonly message: IncomingMessage

  constructor (message: IncomingMessage, connection: number, closed: Promise<'answered' | 'aborted'>) {
    this.message = message
    this.method = message.method ?? ''
    this.url = message.url ?? ''
    this.rawHeaders = message.rawHeaders
    this.connection = connection
    this.closed = closed.then(how => {
      this.aborted = how === 'aborted'
      return how
    })
    this.received = new Promise(resolve => {
      message.on('data', (chunk: Buffer) => {
        this.chunks.push(chunk)
        this.receivedBytes += chunk.length
      })
      message.on('end', () => resolve(this.body))
      // A cut request shows in `closed`; without a listener its 'error' would end the process.
      message.on('error', () => undefined)
    })
  }

  /** The body so far; all of it once `received` has resolved. */
  get body (): Buffer {
    return Buffer.concat(this.chunks)
  }

  /** Stops reading the body, so that its sender is held up; called by a script, before the first byte is read. */
  pause (): void {
    this.message.pause()
  }

  resume (): void {
    this.message.resume()
  }

  /** All values of a header, in order. */
  headers (name: string): string[] {
    return this.rawHeaders.filter((_, i) => i % 2 === 1 && this.rawHeaders[i - 1]?.toLowerCase() === name.toLowerCase())
  }

  json (): unknown {
    return JSON.parse(this.body.toString())
  }
}

export interface Upstream {
  /** Base URL with `/v1`, as `UPSTREAM_BASE_URL` takes it. */
  readonly url: string
  readonly origin: string
  readonly requests: readonly UpstreamRequest[]
  /** Connections opened so far. */
  connections: () => number
  /** What the next requests get, one script each; the last one serves all that follow. */
  reply: (...scripts: [Script, ...Script[]]) => void
  /** The request with this index, as soon as its headers are in. */
  nth: (index: number) => Promise<UpstreamRequest>
  close: () => Promise<void>
}

/**
 * The OpenAI API as far as a test needs it: a real server on a free port of 127.0.0.1 that answers as scripted and
 * records what it was asked. Without a script it answers `200 {}`. Closed with the given test.
 */
export async function startUpstream (t?: { teardown: (close: () => Promise<void>) => unknown }): Promise<Upstream> {
  const requests: UpstreamRequest[] = []
  const arrivals = new EventEmitter()
  const connections = new Map<Socket, number>()
  let opened = 0
  let scripts: Script[] = [json({})]

  const server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0, maxHeaderSize: 256 * 1024 })
  server.on('connection', (socket: Socket) => {
    connections.set(socket, opened++)
    socket.on('close', () => connections.delete(socket))
    socket.on('error', () => undefined) // A reset by the other side: `closed` says so.
  })
  server.on('request', (message, response) => {
    const answered = new Promise<void>(resolve => {
      const request = new UpstreamRequest(message, connections.get(message.socket) ?? -1, new Promise(resolve => {
        response.on('answered', () => resolve('answered'))
        response.on('close', () => resolve('aborted')) // After 'answered', where the script ran to its end.
      }))
      requests.push(request)
      arrivals.emit('request')
      const script = scripts.length > 1 ? scripts.shift() : scripts[0]
      resolve(answer(request, response, script ?? {}))
    })
    // A script that throws is a broken test: let it crash the test's process.
    answered.catch((error: unknown) => { setImmediate(() => { throw error }) })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const upstream: Upstream = {
    url: `${origin}/v1`,
    origin,
    requests,
    connections: () => opened,
    reply: (...next) => { scripts = next },
    nth: async index => {
      for (;;) {
        const request = requests[index]
        if (request !== undefined) return request
        await once(arrivals, 'request')
      }
    },
    close: async () => {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    }
  }
  t?.teardown(() => upstream.close())
  return upstream
}

/** A plain JSON answer as OpenAI frames it. */
export function json (body: unknown, status = 200, headers: readonly string[] = []): HttpReply {
  return { status, headers: ['content-type', 'application/json', ...headers], body: JSON.stringify(body) }
}

/** A stream of server-sent events, each `data` a chunk of its own, with OpenAI's `[DONE]` last. */
export function events (...data: unknown[]): HttpReply {
  const lines = [...data.map(one => JSON.stringify(one)), '[DONE]']
  return { headers: ['content-type', 'text/event-stream; charset=utf-8'], body: lines.map(line => `data: ${line}\n\n`) }
}

/** Takes the request and never says a word. */
export const silence: RawReply = { raw: [], ending: 'hang' }

/** The value at which a counter has not moved for ten looks in a row. */
export async function stalled (counter: () => number): Promise<number> {
  let last = counter()
  for (let still = 0; still < 10; still++) {
    await new Promise(resolve => setTimeout(resolve, 20))
    if (counter() !== last) still = 0
    last = counter()
  }
  return last
}

async function answer (request: UpstreamRequest, response: ServerResponse, script: Script): Promise<void> {
  const reply = typeof script === 'function' ? await script(request) : script
  if (reply.at !== 'headers') {
    const how = await Promise.race([request.received, request.closed])
    if (how === 'aborted') return
  }
  const socket = response.socket
  if (socket === null || socket.destroyed) return
  if ('raw' in reply) await answerRaw(request, response, socket, reply)
  else await answerHttp(request, response, socket, reply)
}

async function answerRaw (request: UpstreamRequest, response: ServerResponse, socket: Socket, reply: RawReply): Promise<void> {
  const done = await sendSteps(request, reply.raw, piece => write(socket, piece, request))
  if (!done || reply.ending === 'hang') return
  response.emit('answered')
  if (reply.ending === 'reset') socket.resetAndDestroy()
  else socket.end()
}

async function answerHttp (request: UpstreamRequest, response: ServerResponse, socket: Socket, reply: HttpReply): Promise<void> {
  const headers = [...reply.headers ?? []]
  const has = (name: string): boolean => headers.some((header, i) => i % 2 === 0 && header.toLowerCase() === name)
  if (reply.encoding !== undefined) headers.push('content-encoding', reply.encoding)
  let body = reply.body ?? ''
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = compress(Buffer.from(body), reply.encoding)
    const bodiless = reply.status === 204 || reply.status === 304
    if (!has('content-length') && !has('transfer-encoding') && !bodiless) headers.push('content-length', `${bytes.length}`)
    body = bytes.length === 0 ? [] : [bytes]
  } else if (reply.encoding !== undefined) {
    body = compressSteps(body, reply.encoding)
  }
  response.sendDate = false
  response.writeHead(reply.status ?? 200, headers)
  response.flushHeaders()
  const done = await sendSteps(request, body, piece => write(response, piece, request))
  if (!done || reply.ending === 'hang') return
  if (reply.ending === 'reset') {
    response.emit('answered')
    socket.resetAndDestroy()
  } else {
    response.end(() => response.emit('answered'))
  }
}

/** Sends step by step; false if the other side left before the last. */
async function sendSteps (request: UpstreamRequest, body: Body, send: (piece: Uint8Array) => Promise<void>): Promise<boolean> {
  const steps = typeof body === 'string' || body instanceof Uint8Array ? [body] : body
  for await (const step of steps) {
    const gone = typeof step === 'function'
      ? await Promise.race([request.closed, Promise.resolve(step()).then(() => undefined)])
      : await Promise.race([request.closed, send(Buffer.from(step))])
    if (gone === 'aborted') return false
    // Node makes one chunk of what is written before the next tick.
    await new Promise<void>(resolve => { process.nextTick(resolve) })
  }
  return !request.aborted
}

/** Resolves when the stream wants more, so that a reader who does not read holds the script up. */
async function write (stream: ServerResponse | Socket, piece: Uint8Array, request: UpstreamRequest): Promise<void> {
  if (!stream.write(piece)) await new Promise<void>(resolve => { stream.once('drain', resolve) })
  request.sentBytes += piece.length
}

function compress (bytes: Buffer, encoding: HttpReply['encoding']): Buffer {
  if (encoding === 'gzip') return gzipSync(bytes)
  if (encoding === 'br') return brotliCompressSync(bytes)
  return encoding === 'deflate' ? deflateSync(bytes) : bytes
}

async function * compressSteps (steps: Iterable<Step> | AsyncIterable<Step>, encoding: 'gzip' | 'br' | 'deflate'): AsyncGenerator<Step> {
  const flush = constants.Z_SYNC_FLUSH
  const stream = encoding === 'gzip' ? createGzip({ flush }) : encoding === 'deflate' ? createDeflate({ flush }) : createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH })
  const taken = (): Buffer => (stream.read() as Buffer | null) ?? Buffer.alloc(0)
  for await (const step of steps) {
    if (typeof step === 'function') {
      yield step
    } else {
      await new Promise<void>((resolve, reject) => stream.write(step, error => error ? reject(error) : resolve()))
      const piece = taken()
      if (piece.length > 0) yield piece
    }
  }
  stream.end()
  for await (const rest of stream) yield rest as Buffer
}
