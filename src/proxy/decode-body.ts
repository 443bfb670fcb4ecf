import { requestTooLarge } from '../errors.js'
import type { BodyShare } from './body-room.js'
import type { Coding } from '../decoders/content-coding.js'
import { inSlices } from '../lib/slices.js'
import { ByteBuffer } from '../decoders/byte-buffer.js'
import type { JsonMembers } from '../decoders/json-members.js'

export interface DecodeOptions {
  readonly maxBytes: number
  /** Are fed each piece as it comes. */
  readonly members: JsonMembers
  /** Takes the decoded body's room; where there is none, decoding waits. */
  readonly share: BodyShare
}

/**
 * A whole request body without its coding, decoded off the event loop or in short turns with it. Null where it does
 * not match its `Content-Encoding`: corrupt, truncated, or with other bytes after its end.
 *
 * @throws GatewayError 413 `request_too_large` as soon as it is longer than `maxBytes`; 503 `gateway_overloaded`
 */
export function decodeBody (
  coding: Coding, body: Buffer, { maxBytes, members, share }: DecodeOptions
): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const decoded = new ByteBuffer()
    const decoder = coding.decoder('whole')
    const fail = (error: Error): void => {
      decoder.destroy()
      decoded.clear()
      reject(error)
    }
    decoder.on('data', (piece: Buffer) => {
      if (decoder.destroyed) return
      if (decoded.sizeBytes + piece.length > maxBytes) {
        fail(requestTooLarge(maxBytes))
        return
      }
      decoded.push(piece)
      members.feed(piece)
      if (share.take(piece.length)) return
      decoder.pause()
      share.wait(piece.length).then(() => decoder.resume(), fail)
    })
    decoder.on('error', () => resolve(null))
    decoder.on('end', () => resolve(decoder.bytesWritten === body.length ? inSlices(decoded.gathering()) : null))
    decoder.on('close', () => resolve(null))
    decoder.end(body)
  })
}
