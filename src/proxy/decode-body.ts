import { requestTooLarge } from '../errors.js'
import type { Coding } from './content-coding.js'
import { GatheredBytes } from './gathered-bytes.js'
import type { JsonMembers } from './json-members.js'

/**
 * A whole request body without its coding, decoded off the event loop or in short turns with it. Null where it is not what its
 * `Content-Encoding` says: corrupt, broken off, or with other bytes behind its end.
 *
 * @param members are fed each piece as it comes
 * @throws GatewayError 413 `request_too_large` as soon as it is longer than `maxBytes`, however long it would become
 */
export function decodeBody (
  coding: Coding, body: Buffer, maxBytes: number, members: JsonMembers
): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const decoded = new GatheredBytes()
    const decoder = coding.decoder('whole')
    decoder.on('data', (piece: Buffer) => {
      if (decoder.destroyed) return
      if (decoded.sizeBytes + piece.length > maxBytes) {
        decoder.destroy()
        decoded.clear()
        reject(requestTooLarge(maxBytes))
        return
      }
      decoded.push(piece)
      members.feed(piece)
    })
    decoder.on('error', () => resolve(null))
    decoder.on('end', () => resolve(decoder.bytesWritten === body.length ? decoded.toBuffer() : null))
    decoder.on('close', () => resolve(null))
    decoder.end(body)
  })
}
