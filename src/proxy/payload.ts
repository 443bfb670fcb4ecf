import { elided, elisionMark, findInlineMedia, withoutMedia } from './inline-media.js'
import { redactKeys } from '../redaction/redact.js'
import { type Steps, inOneGo } from './slices.js'

/** Of a key that the cut goes through, so much is looked at: enough to know it for one, each character escaped. */
const LONGEST_KEY_BYTES = 512

/** As `storingText`, at once. */
export function storedText (body: Buffer | string, maxBytes: number, endsEarly = false): string {
  return inOneGo(storingText(body, maxBytes, endsEarly))
}

/**
 * A request or response body as it is stored in Postgres `text`: inline media elided, what `text` refuses (NUL bytes,
 * broken UTF-8) replaced by U+FFFD, API keys redacted, and cut to `maxBytes` bytes of UTF-8, the mark that says so
 * included. All else is the body's own text, byte for byte. Never throws.
 *
 * @param endsEarly the body is not whole: a key may be cut at its end, or at that of a string in it
 */
export function * storingText (body: Buffer | string, maxBytes: number, endsEarly = false): Steps<string> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const wantedBytes = maxBytes + LONGEST_KEY_BYTES
  const pieces = withoutMedia(bytes, yield * findInlineMedia(bytes, wantedBytes), elisionMark)
  const bodyBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  // Redacted before it is cut: what is left of a key would not be known for one.
  const isCut = bodyBytes > maxBytes
  const head = firstOf(pieces, isCut ? wantedBytes : bodyBytes)
  const text = redactKeys(cleaned(head.toString()), isCut || endsEarly)
  const sizeBytes = isCut ? bodyBytes : Buffer.byteLength(text)
  if (sizeBytes <= maxBytes) return text

  const mark = (keptBytes: number): string => `… [truncated: ${keptBytes} of ${sizeBytes} bytes kept]`
  const room = maxBytes - Buffer.byteLength(mark(maxBytes))
  if (room < 0) return firstBytes(text, maxBytes)
  const kept = firstBytes(text, room)
  return kept + mark(Buffer.byteLength(kept))
}

/** What is stored of a body that is not text (an upload, audio, an image). */
export function storedBinary (contentType: string | null, sizeBytes: number): string {
  const mime = /^[\w.+-]+\/[\w.+-]+/.exec(contentType?.trim() ?? '')?.[0].toLowerCase()
  return elided(mime ?? 'application/octet-stream', sizeBytes)
}

/** The first bytes of all pieces. Without media there is one piece, and nothing is copied. */
function firstOf (pieces: readonly Buffer[], sizeBytes: number): Buffer {
  const [only] = pieces
  if (only !== undefined && pieces.length === 1) return only.subarray(0, sizeBytes)
  const head = Buffer.allocUnsafe(sizeBytes)
  let at = 0
  for (const piece of pieces) {
    if (at >= sizeBytes) break
    at += piece.copy(head, at)
  }
  return head.subarray(0, at)
}

function cleaned (text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}

/** As much of the text's beginning as `maxBytes` bytes of UTF-8 hold, cut between two characters. */
function firstBytes (text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  let end = Math.min(maxBytes, bytes.length)
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
