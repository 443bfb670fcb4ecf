import { createServer, type AddressInfo, type Socket } from 'node:net'
import { LARGE_BYTES, RESPONSE_HEADERS, SMALL_BYTES, responseBody, streamEvents } from './exchanges.js'

// A process of its own: stands in for OpenAI at as little CPU as can be, so that it leaves the machine to the gateways.
// It reads requests that have a Content-Length, one at a time on a connection, and writes answers made beforehand.

const head = (lines: readonly string[]): string =>
  ['HTTP/1.1 200 OK', ...lines, ...RESPONSE_HEADERS.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')

const plainAnswer = (sizeBytes: number): Buffer =>
  Buffer.concat([
    Buffer.from(head(['content-type: application/json', `content-length: ${sizeBytes}`])), responseBody(sizeBytes)
  ])

/** Each event is a chunk of the transfer coding (RFC 9112 §7.1), and so a write of its own. */
const streamAnswer = (withUsage: boolean): Buffer[] => {
  const chunks = streamEvents(withUsage).map(event => `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`)
  chunks[0] = head(['content-type: text/event-stream; charset=utf-8', 'transfer-encoding: chunked']) + (chunks[0] ?? '')
  chunks.push(`${chunks.pop() ?? ''}0\r\n\r\n`)
  return chunks.map(chunk => Buffer.from(chunk))
}

const SMALL = plainAnswer(SMALL_BYTES)
const LARGE = plainAnswer(LARGE_BYTES)
const STREAM = streamAnswer(false)
const STREAM_WITH_USAGE = streamAnswer(true)
const LENGTH_REQUIRED = Buffer.from('HTTP/1.1 411 Length Required\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
const NOTHING = Buffer.alloc(0)

/** Requests longer than this are told by their length alone, and not kept. */
const KEPT_BYTES = 32 * 1024

/** One connection: a request's head, then as many bytes as it says, then the answer. */
function serve (socket: Socket): void {
  let pending = NOTHING
  let body: Buffer[] = []
  let bodyBytes = 0
  let missingBytes: number | null = null

  const begin = (): boolean => {
    const end = pending.indexOf('\r\n\r\n')
    if (end === -1) return false
    const text = pending.toString('latin1', 0, end)
    if (/^transfer-encoding:/im.test(text)) {
      socket.end(LENGTH_REQUIRED)
      return false
    }
    bodyBytes = missingBytes = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0)
    pending = pending.subarray(end + 4)
    return true
  }
  socket.on('error', () => socket.destroy()) // The other side has gone; its calls are its own to count.
  socket.on('data', chunk => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    while (missingBytes !== null || begin()) {
      const part = pending.subarray(0, missingBytes ?? 0)
      if (bodyBytes <= KEPT_BYTES) body.push(part)
      pending = pending.subarray(part.length)
      missingBytes = (missingBytes ?? 0) - part.length
      if (missingBytes > 0) return
      answer(socket, body.length === 1 ? body[0] ?? NOTHING : Buffer.concat(body), bodyBytes)
      body = []
      missingBytes = null
    }
  })
}

function answer (socket: Socket, body: Buffer, bodyBytes: number): void {
  if (bodyBytes > KEPT_BYTES) {
    socket.write(bodyBytes > 2 * LARGE_BYTES ? SMALL : LARGE)
  } else if (!body.includes('"stream":true')) {
    socket.write(SMALL)
  } else {
    const pauseMs = Number(/"seed":(\d+)/.exec(body.toString('latin1'))?.[1] ?? 0)
    stream(socket, body.includes('"include_usage":true') ? STREAM_WITH_USAGE : STREAM, pauseMs)
  }
}

function stream (socket: Socket, chunks: readonly Buffer[], pauseMs: number): void {
  let i = 0
  const next = (): void => {
    const chunk = chunks[i++]
    if (chunk === undefined || socket.destroyed) return
    socket.write(chunk)
    if (pauseMs > 0) setTimeout(next, pauseMs)
    else setImmediate(next)
  }
  next()
}

const server = createServer({ noDelay: true }, serve)
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit())
