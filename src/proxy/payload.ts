import { elided, elideInlineMedia } from './inline-media.js'
import { redactKeys } from './redact.js'

/** Of a key that the cut goes through, so much is looked at: enough to know it for one. */
const LONGEST_KEY_BYTES = 64

/**
 * A request or response body as it is stored in Postgres `text`: inline media elided, what `text` refuses (NUL bytes,
 * broken UTF-8) replaced by U+FFFD, API keys redacted, and cut to `maxBytes` bytes of UTF-8, the mark that says so
 * included. All else is the body's own text, byte for byte. Never throws.
 */
export function storedText (body: Buffer | string, maxBytes: number): string {
  const bytes = elideInlineMedia(typeof body === 'string' ? Buffer.from(body) : body, maxBytes + LONGEST_KEY_BYTES)
  // Redacted before it is cut: what is left of a key would not be known for one.
  const isCut = bytes.length > maxBytes
  const text = redactKeys(cleaned(bytes.toString('utf8', 0, isCut ? maxBytes + LONGEST_KEY_BYTES : bytes.length)))
  const sizeBytes = isCut ? bytes.length : Buffer.byteLength(text)
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
