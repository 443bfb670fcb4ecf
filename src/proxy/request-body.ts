import type { IncomingMessage } from 'node:http'
import { Transform, type TransformCallback } from 'node:stream'
import { requestTimeout, requestTooLarge } from '../errors.js'
import type { BodyShare } from './body-room.js'
import { inSlices } from '../lib/slices.js'
import { ByteBuffer } from '../decoders/byte-buffer.js'
import type { JsonMembers } from '../decoders/json-members.js'
import { LONG_BODY_BYTES } from '../capture/captured-body.js'

/** The caller's connection ended before the call did. */
export class CallerGoneError extends Error {
  override readonly name = 'CallerGoneError'
  constructor () {
    super('The caller closed the connection before it had the whole response.')
  }
}

/** Whether the message has a body at all: RFC 9112 §6.3. */
export function hasBody (req: IncomingMessage): boolean {
  const length = req.headers['content-length']
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/** Whether the caller waits for 100 Continue before it sends its body: RFC 9110 §10.1.1. */
export function expectsContinue (req: IncomingMessage): boolean {
  return req.headers.expect?.toLowerCase() === '100-continue'
}

/**
 * Checks the announced length of a body.
 * @throws GatewayError 413 `request_too_large` where `Content-Length` is over the limit
 */
export function checkContentLength (req: IncomingMessage, maxBytes: number): void {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw requestTooLarge(maxBytes)
}

/**
 * The whole body, for endpoints whose body is read.
 *
 * @param members are fed each chunk as it comes, so that no body is parsed in one go
 * @param share takes its room; without room, the body is not read further
 * @throws GatewayError 408 `request_timeout`, 413 `request_too_large`, 503 `gateway_overloaded`; CallerGoneError
 */
export function readBody (
  req: IncomingMessage, maxBytes: number, members: Pick<JsonMembers, 'feed'> | null, share: BodyShare
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new ByteBuffer()
    const onData = (chunk: Buffer): void => {
      body.push(chunk)
      if (body.sizeBytes > maxBytes) {
        fail(requestTooLarge(maxBytes))
        return
      }
      members?.feed(chunk)
      if (share.take(chunk.length)) return
      req.pause()
      share.wait(chunk.length).then(() => req.resume(), fail)
    }
    const fail = (error: Error): void => {
      req.off('data', onData)
      req.resume() // Read to its end and dropped, so that the caller gets to read the answer.
      body.clear()
      reject(error)
    }
    req.on('data', onData)
    req.on('timeout', () => fail(requestTimeout()))
    req.on('end', () => resolve(body.sizeBytes <= LONG_BODY_BYTES ? body.toBuffer() : inSlices(body.gathering())))
    // A connection that breaks off is told here too: without a listener for it there is no 'error'.
    req.on('close', () => { if (!req.complete) reject(new CallerGoneError()) })
  })
}

/** A body that streams through: counted, and ended with 413 `request_too_large` where it grows too large. */
export class PassingBody extends Transform {
  readonly #maxBytes: number
  sizeBytes = 0

  constructor (req: IncomingMessage, maxBytes: number) {
    super()
    this.#maxBytes = maxBytes
    // It may fail before upstream's client listens, or after that: the client reads `errored`.
    this.on('error', () => {})
    req.on('error', () => this.destroy(new CallerGoneError()))
    req.on('timeout', () => this.destroy(requestTimeout()))
    req.pipe(this)
    // Upstream may answer before it has read all; what is left is read and dropped.
    this.on('close', () => { req.unpipe(this); req.resume() })
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.sizeBytes += chunk.length
    done(this.sizeBytes > this.#maxBytes ? requestTooLarge(this.#maxBytes) : null, chunk)
  }
}
