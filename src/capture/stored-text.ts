import { elided, elisionMark, findInlineMedia, withoutMedia } from './inline-media.js'
import { redactingKeys } from '../redaction/redact.js'
import { type Steps, inOneGo } from '../lib/slices.js'
import { behindPair, decodingUtf8 } from '../lib/utf8-steps.js'

/** The part of a cut key that is searched: enough to recognise it, with each character escaped. */
const LONGEST_KEY_BYTES = 512
/** The text that is measured in a step. */
const STEP_CHARACTERS = 65_536
const STEP_PIECES = 1024

/** As `storingText`, at once. */
export function storedText (body: Buffer | string, maxBytes: number, endsEarly = false): string {
  return inOneGo(storingText(body, maxBytes, endsEarly))
}

/**
 * A request or response body as it is stored in Postgres `text`: inline media elided, what `text` rejects (NUL bytes,
 * broken UTF-8) replaced by U+FFFD, API keys redacted, and cut to `maxBytes` bytes of UTF-8, the mark that says so
 * included. All else is the body's own text, byte for byte. Never throws.
 *
 * @param endsEarly the body is not whole: a key may be cut at its end, or at that of a string in it
 */
export function * storingText (body: Buffer | string, maxBytes: number, endsEarly = false): Steps<string> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const wantedBytes = maxBytes + LONGEST_KEY_BYTES
  const pieces = yield * withoutMedia(bytes, yield * findInlineMedia(bytes, wantedBytes), elisionMark)
  const bodyBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  // Redacted before it is cut: what is left of a key would not be known for one.
  const isCut = bodyBytes > maxBytes
  const head = yield * firstOf(pieces, isCut ? wantedBytes : bodyBytes)
  const text = yield * redactingKeys(yield * decodingUtf8(head, cleaned), isCut || endsEarly)
  const sizeBytes = isCut ? bodyBytes : (yield * firstBytes(text, Infinity)).sizeBytes
  if (sizeBytes <= maxBytes) return text

  const mark = (keptBytes: number): string => `… [truncated: ${keptBytes} of ${sizeBytes} bytes kept]`
  const room = maxBytes - Buffer.byteLength(mark(maxBytes))
  if (room < 0) return (yield * firstBytes(text, maxBytes)).text
  const kept = yield * firstBytes(text, room)
  return kept.text + mark(kept.sizeBytes)
}

/** What is stored of a body that is not text (an upload, audio, an image). */
export function storedBinary (contentType: string | null, sizeBytes: number): string {
  const mime = /^[\w.+-]+\/[\w.+-]+/.exec(contentType?.trim() ?? '')?.[0].toLowerCase()
  return elided(mime ?? 'application/octet-stream', sizeBytes)
}

/** The first bytes of all pieces. Without media there is one piece, and nothing is copied. */
function * firstOf (pieces: readonly Buffer[], sizeBytes: number): Steps<Buffer> {
  const [only] = pieces
  if (only !== undefined && pieces.length === 1) return only.subarray(0, sizeBytes)
  const head = Buffer.allocUnsafe(sizeBytes)
  let at = 0
  for (const [i, piece] of pieces.entries()) {
    if (i % STEP_PIECES === STEP_PIECES - 1) yield
    if (at >= sizeBytes) break
    at += piece.copy(head, at)
  }
  return head.subarray(0, at)
}

/** What Postgres rejects in a text is replaced. */
function cleaned (text: string): string {
  // (A regular expression: what `replaceAll` makes is a rope of as many pieces as it replaced.)
  return text.includes('\0') ? text.replace(/\0/g, '\ufffd') : text
}

/**
 * As much of the text's beginning as `maxBytes` bytes of UTF-8 hold, cut between two characters, and its size. The text
 * has no half of a surrogate pair.
 */
function * firstBytes (text: string, maxBytes: number): Steps<{ text: string, sizeBytes: number }> {
  let sizeBytes = 0
  for (let from = 0, to = 0; from < text.length; from = to) {
    if (from > 0) yield
    to = behindPair(text, Math.min(from + STEP_CHARACTERS, text.length))
    const part = text.slice(from, to)
    const partBytes = Buffer.byteLength(part)
    if (sizeBytes + partBytes > maxBytes) {
      const end = cutAt(Buffer.from(part), maxBytes - sizeBytes)
      return { text: text.slice(0, from) + end.toString(), sizeBytes: sizeBytes + end.length }
    }
    sizeBytes += partBytes
  }
  return { text, sizeBytes }
}

function cutAt (bytes: Buffer, maxBytes: number): Buffer {
  let end = maxBytes
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}
