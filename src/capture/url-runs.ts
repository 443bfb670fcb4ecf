import { createHash } from 'node:crypto'
import { characterTable } from './character-table.js'
import type { Media } from './media-runs.js'
import type { Steps } from '../lib/slices.js'

/** The bytes that are read in a step. */
const stepBytes = 32_768
/** A step's text without JSON's escapes, behind up to two bytes that the step before left. */
const plainText = Buffer.allocUnsafeSlow(2 * stepBytes)

const isUrl = characterTable("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%-._~:/?#@!$&*+,;='")

/**
 * The end of the URL whose text goes on at `from`: RFC 3986's characters, and parentheses in pairs, so that the one
 * that closes a markdown link does not belong to it, nor does the apostrophe that ends it in CSS.
 */
export function * urlTextEnd (bytes: Buffer, from: number): Steps<number> {
  let depth = 0
  let at = from
  for (; at < bytes.length; at++) {
    if ((at - from) % stepBytes === stepBytes - 1) yield
    const byte = bytes[at] ?? 0
    if (byte === openParenthesis) depth++
    else if (byte === closeParenthesis && depth > 0) depth--
    else if (isUrl[byte] !== 1 && !(byte === backslash && bytes[at + 1] === slash)) break
  }
  return bytes[at - 1] === apostrophe ? at - 1 : at
}

/** The media that the percent-encoded text from `start` to `end` stands for. JSON's escapes in it are read first. */
export function * percentDecoded (bytes: Buffer, start: number, end: number): Steps<Media> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  // A step may end in the middle of `%41`: what there is of it goes before the next.
  let carry = Buffer.alloc(0)
  for (let at = start; at < end;) {
    const limit = Math.min(at + stepBytes, end)
    let plainBytes = carry.copy(plainText)
    while (at < limit) {
      const byte = bytes[at] ?? 0
      const escaped = byte === backslash ? jsonEscape(bytes, at, end) : null
      if (escaped === null) {
        plainText[plainBytes++] = byte
        at++
      } else {
        plainBytes += plainText.write(escaped.text, plainBytes)
        at += escaped.sourceBytes
      }
    }
    const leftBytes = at === end ? 0 : unfinishedEscape(plainText, plainBytes)
    carry = Buffer.from(plainText.subarray(plainBytes - leftBytes, plainBytes))
    const decodedBytes = decodePercent(plainText, plainBytes - leftBytes)
    hash.update(plainText.subarray(0, decodedBytes))
    sizeBytes += decodedBytes
    yield
  }
  return { end, sizeBytes, sha256: hash.digest('hex') }
}

/** How many bytes at the end are the beginning of `%41`. */
function unfinishedEscape (text: Buffer, end: number): number {
  return text[end - 1] === percent ? 1 : text[end - 2] === percent ? 2 : 0
}

/**
 * In place, byte by byte: a callback for each of twenty million escapes would take seconds. @returns its length then
 */
function decodePercent (text: Buffer, end: number): number {
  let sizeBytes = 0
  for (let at = 0; at < end; at++) {
    let byte = text[at] ?? 0
    if (byte === percent && at + 2 < end) {
      const high = hexValue[text[at + 1] ?? 0] ?? noHex
      const low = hexValue[text[at + 2] ?? 0] ?? noHex
      if (high !== noHex && low !== noHex) {
        byte = high * 16 + low
        at += 2
      }
    }
    text[sizeBytes++] = byte
  }
  return sizeBytes
}

const noHex = 255
const hexValue = new Uint8Array(256).fill(noHex)
for (let value = 0; value < 16; value++) {
  hexValue[value.toString(16).charCodeAt(0)] = value
  hexValue[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

const shortEscapes: Readonly<Record<string, string | undefined>> =
  { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

interface JsonEscape { readonly text: string, readonly sourceBytes: number }

/** What the JSON escape at `at` stands for (RFC 8259 §7); null where it is none: the backslash means itself. */
function jsonEscape (bytes: Buffer, at: number, end: number): JsonEscape | null {
  const text = shortEscapes[String.fromCharCode(at + 1 < end ? bytes[at + 1] ?? 0 : 0)]
  if (text !== undefined) return { text, sourceBytes: 2 }
  const first = codeUnit(bytes, at, end)
  if (first === null) return null
  const second = first >= 0xd800 && first < 0xdc00 ? codeUnit(bytes, at + 6, end) : null
  if (second === null || second < 0xdc00 || second > 0xdfff) return { text: String.fromCharCode(first), sourceBytes: 6 }
  return { text: String.fromCharCode(first, second), sourceBytes: 12 }
}

/** The UTF-16 code unit of `\uXXXX`. */
function codeUnit (bytes: Buffer, at: number, end: number): number | null {
  if (at + 6 > end || bytes[at] !== backslash || bytes[at + 1] !== 0x75) return null
  let value = 0
  for (let i = at + 2; i < at + 6; i++) {
    const digit = hexValue[bytes[i] ?? 0] ?? noHex
    if (digit === noHex) return null
    value = value * 16 + digit
  }
  return value
}

const percent = 0x25
const apostrophe = 0x27
const openParenthesis = 0x28
const closeParenthesis = 0x29
const slash = 0x2f
const backslash = 0x5c
