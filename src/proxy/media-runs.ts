import { createHash } from 'node:crypto'

/** Media read from a body: where its text ends there, and the size and SHA-256 (hex) of what that text decodes to. */
export interface Media {
  readonly end: number
  readonly sizeBytes: number
  readonly sha256: string
}

/** Multiples of four characters, which decode to whole bytes. Small first, so that many small media cost little. */
const firstStep = 1024
const longestStep = 65_536
/** What a step decodes to, until it is hashed: a buffer for each would be megabytes of garbage a picture. */
const stepBytes = Buffer.allocUnsafeSlow(longestStep / 4 * 3)

/**
 * Reads the base64 text (RFC 4648 §4 and §5, padding optional) that begins at `start`, as far as it goes; null where
 * there is none. The text may be escaped as JSON or percent-encoded, and broken into lines as MIME does.
 */
export function readBase64 (bytes: Buffer, start: number): Media | null {
  if (base64RunEnd(bytes, start, start + 1, { start, width: 0 }) === start) return null
  const hash = createHash('sha256')
  const lines: Lines = { start, width: 0 }
  let sizeBytes = 0
  let end = start
  let carry = ''
  const take = (decoded: Buffer): void => {
    hash.update(decoded)
    sizeBytes += decoded.length
  }
  // Until the first escape: from there on the text is looked at character by character.
  let isPlain = true
  for (let step = firstStep; ; step = Math.min(step * 4, longestStep)) {
    if (isPlain) {
      const decodedBytes = stepBytes.write(bytes.toString('latin1', end, end + step), 'base64')
      // Node's decoder skips what is not base64: a full yield proves that every character was.
      if (decodedBytes === step / 4 * 3) {
        take(stepBytes.subarray(0, decodedBytes))
        end += step
        continue
      }
      isPlain = false
    }
    const runEnd = base64RunEnd(bytes, end, end + step, lines)
    const isLast = runEnd < end + step
    const characters = carry + unescaped(bytes.toString('latin1', end, runEnd))
    const whole = isLast ? characters.length : characters.length - characters.length % 4
    take(Buffer.from(characters.slice(0, whole), 'base64'))
    carry = characters.slice(whole)
    end = runEnd
    if (isLast) break
  }
  const padding = /^(?:=|\\+u003d|%3d){0,2}/i.exec(bytes.toString('latin1', end, end + 16))?.[0] ?? ''
  return { end: end + padding.length, sizeBytes, sha256: hash.digest('hex') }
}

/** Where the line that is being read would begin without its escapes, and how long those before it were (0: none). */
interface Lines { start: number, width: number }

const isBase64 = characterTable('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_')

/** The end of the base64 text from `from`, looked for up to `limit` (which an escape may pass). */
function base64RunEnd (bytes: Buffer, from: number, limit: number, lines: Lines): number {
  let at = from
  while (at < limit) {
    const byte = bytes[at] ?? 0
    if (isBase64[byte] === 1) {
      at++
      continue
    }
    if (byte !== backslash && byte !== percent && byte !== lineFeed && byte !== carriageReturn) return at
    const escape = escapeLength(bytes, at)
    // Only what it stands for counts as the line's length.
    if (escape > 0) lines.start += escape - 1
    const skipped = escape > 0 ? escape : lineBreakLength(bytes, at, lines)
    if (skipped === 0) return at
    at += skipped
  }
  return at
}

/** How long the escape of `/` or `+` at `at` is: one of JSON (within JSON: more backslashes) or of a URL; else 0. */
function escapeLength (bytes: Buffer, at: number): number {
  if (bytes[at] === backslash) {
    // `\/` and `\u002B` come by the hundred thousand: they are known without a regular expression.
    if (bytes[at + 1] === slash) return 2
    if (bytes[at + 1] === 0x75 && bytes[at + 2] === 0x30 && bytes[at + 3] === 0x30 && bytes[at + 4] === 0x32 && bytes[at + 5] === 0x42) return 6
  }
  return /^(?:\\+(?:\/|u002[bf])|%2[bf])/i.exec(bytes.toString('latin1', at, at + 16))?.[0].length ?? 0
}

/**
 * How long the line break at `at` is, raw or as JSON; 0 where it does not belong to the media. It belongs there where the
 * lines have one of the two customary lengths and the next goes on with base64: prose after an image is not taken in.
 */
function lineBreakLength (bytes: Buffer, at: number, lines: Lines): number {
  const width = at - lines.start
  if (lines.width === 0 ? width !== 64 && width !== 76 : width !== lines.width) return 0
  const length = /^(?:\r?\n|(?:\\r)?\\n)/.exec(bytes.toString('latin1', at, at + 4))?.[0].length ?? 0
  const next = at + length
  if (length === 0 || (isBase64[bytes[next] ?? 0] !== 1 && escapeLength(bytes, next) === 0)) return 0
  lines.width = width
  lines.start = next
  return length
}

/** The run's bare characters. */
function unescaped (text: string): string {
  if (!/[\\%\r\n]/.test(text)) return text
  const common = text.replaceAll('\\/', '/').replaceAll('\\u002B', '+')
  if (!/[\\%\r\n]/.test(common)) return common
  return common.replace(/\\+u002b|%2b/gi, '+').replace(/\\+(?:\/|u002f)|%2f/gi, '/').replace(/[\r\n]|\\[rn]/g, '')
}

const isUrl = characterTable("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%-._~:/?#@!$&*+,;='")

/**
 * The end of the URL whose text goes on at `from`: RFC 3986's characters, and parentheses in pairs, so that the one
 * that closes a markdown link does not belong to it, nor does the apostrophe that ends it in CSS.
 */
export function urlTextEnd (bytes: Buffer, from: number): number {
  let depth = 0
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === openParenthesis) depth++
    else if (byte === closeParenthesis && depth > 0) depth--
    else if (isUrl[byte] !== 1 && !(byte === backslash && bytes[at + 1] === slash)) break
  }
  return bytes[at - 1] === apostrophe ? at - 1 : at
}

/** The media that the percent-encoded text from `start` to `end` stands for. */
export function percentDecoded (bytes: Buffer, start: number, end: number): Media {
  // In place, byte by byte: a callback for each of twenty million escapes would hold the event loop for seconds.
  const text = Buffer.from(jsonUnescaped(bytes.toString('utf8', start, end)))
  let sizeBytes = 0
  for (let at = 0; at < text.length; at++) {
    let byte = text[at] ?? 0
    const high = hexValue[text[at + 1] ?? 0] ?? noHex
    const low = hexValue[text[at + 2] ?? 0] ?? noHex
    if (byte === percent && high !== noHex && low !== noHex) {
      byte = high * 16 + low
      at += 2
    }
    text[sizeBytes++] = byte
  }
  return { end, sizeBytes, sha256: createHash('sha256').update(text.subarray(0, sizeBytes)).digest('hex') }
}

const noHex = 255
const hexValue = new Uint8Array(256).fill(noHex)
for (let value = 0; value < 16; value++) {
  hexValue[value.toString(16).charCodeAt(0)] = value
  hexValue[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

function jsonUnescaped (text: string): string {
  if (!text.includes('\\')) return text
  try {
    return String(JSON.parse(`"${text}"`))
  } catch {
    // Not the inside of a JSON string: a URL of another kind of body, or one cut in an escape. It means itself.
    return text
  }
}

const lineFeed = 0x0a
const carriageReturn = 0x0d
const percent = 0x25
const apostrophe = 0x27
const openParenthesis = 0x28
const closeParenthesis = 0x29
const slash = 0x2f
const backslash = 0x5c

function characterTable (characters: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const byte of Buffer.from(characters)) table[byte] = 1
  return table
}
