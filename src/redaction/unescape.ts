import { type Steps, inOneGo } from '../lib/slices.js'

/** A text without its escapes, and where each of its characters came from. */
export interface UnescapedText {
  readonly text: string
  /** The original's place of each character, and at the end its length: `i` was `starts[i]` up to `starts[i + 1]`. */
  readonly starts: Uint32Array
}

const PERCENT = 0x25
const AMPERSAND = 0x26
const BACKSLASH = 0x5c
const LOWER_U = 0x75
const LOWER_X = 0x78
const OPEN_BRACE = 0x7b
/** `&#x00005f;`, `\u{00005f}`: longer ones are not looked for. */
const MAX_DELIMITED = 10
/** The part that is decoded in a step. */
const STEP_CHARACTERS = 8192

/**
 * Decodes percent-encoding (RFC 3986), JSON's and JavaScript's escapes (`\n`, `\u0073`, `\x73`, `\u{73}`) and HTML's
 * numeric character references, in any nesting: `%2573`, `\\u0073` and `%5Cu0073` are all `s`. For finding, not for
 * showing: a `%ab` of plain text is decoded too. Linear: each decoding leaves fewer characters than there were.
 */
export function unescape (original: string): UnescapedText {
  return inOneGo(unescaping(original))
}

/** As `unescape`, in steps. */
export function * unescaping (original: string): Steps<UnescapedText> {
  const codes = new Uint16Array(original.length)
  const starts = new Uint32Array(original.length + 1)
  let length = 0
  for (let from = 0; from < original.length; from += STEP_CHARACTERS) {
    if (from > 0) yield
    length = unescapeRange(original, from, Math.min(from + STEP_CHARACTERS, original.length), codes, starts, length)
  }
  starts[length] = original.length
  return { text: Buffer.from(codes.buffer, 0, length * 2).toString('utf16le'), starts: starts.subarray(0, length + 1) }
}

/** @returns how many characters there are in all without their escapes */
function unescapeRange (
  original: string, from: number, to: number, codes: Uint16Array, starts: Uint32Array, lengthBefore: number
): number {
  let length = lengthBefore
  for (let at = from; at < to; at++) {
    starts[length] = at
    codes[length++] = original.charCodeAt(at)
    // What was decoded may end an escape itself.
    for (let width = escapeWidth(codes, length); width > 0; width = escapeWidth(codes, length)) {
      codes[length - width] = decoded
      length -= width - 1
    }
  }
  return length
}

/** What the escape stands for that `escapeWidth` found last. */
let decoded = 0

/** How many of the codes, at their end, are one escape; 0: none is complete there. */
function escapeWidth (codes: Uint16Array, length: number): number {
  const last = codes[length - 1] ?? 0
  if (hexValue(last) >= 0) {
    const width = hexWidth(codes, length)
    if (width > 0) return width
  }
  switch (last) {
    case 0x62: case 0x66: case 0x6e: case 0x72: case 0x74: // \b \f \n \r \t
      decoded = 0x0a
      return codes[length - 2] === BACKSLASH ? 2 : 0
    case 0x22: case 0x27: case 0x2f: case BACKSLASH: // \" \' \/ \\
      decoded = last
      return codes[length - 2] === BACKSLASH ? 2 : 0
    case 0x7d: case 0x3b: // } ;
      return delimitedWidth(codes, length)
    default:
      return 0
  }
}

function hexWidth (codes: Uint16Array, length: number): number {
  const low = hexValue(codes[length - 1])
  const high = hexValue(codes[length - 2])
  if (high < 0) return 0
  decoded = high * 16 + low
  if (codes[length - 3] === PERCENT) return 3
  if (codes[length - 3] === LOWER_X && codes[length - 4] === BACKSLASH) return 4
  if (codes[length - 5] !== LOWER_U || codes[length - 6] !== BACKSLASH) return 0
  const third = hexValue(codes[length - 3])
  const fourth = hexValue(codes[length - 4])
  if (third < 0 || fourth < 0) return 0
  decoded += fourth * 4096 + third * 256
  return 6
}

/** `\u{73}`, `&#115;`, `&#x73;`, and what of the named references may be part of a key, or of another reference. */
function delimitedWidth (codes: Uint16Array, length: number): number {
  for (let width = 4; width <= MAX_DELIMITED && width <= length; width++) {
    const first = codes[length - width]
    if (first !== AMPERSAND && first !== BACKSLASH) continue
    const isBraced = codes[length - 1] === 0x7d
    if (isBraced !== (first === BACKSLASH) || (isBraced && codes[length - width + 2] !== OPEN_BRACE)) return 0
    const name = String.fromCharCode(...codes.subarray(length - width + 1, length - 1))
    const code = isBraced ? numberOf(/^u\{([\da-f]+)$/i.exec(name)?.[1], 16) : referenceCode(name)
    if (code === null) return 0
    decoded = code
    return width
  }
  return 0
}

function referenceCode (name: string): number | null {
  if (name === 'amp') return AMPERSAND
  if (name === 'lowbar') return 0x5f
  return numberOf(/^#(\d+)$/.exec(name)?.[1], 10) ?? numberOf(/^#x([\da-f]+)$/i.exec(name)?.[1], 16)
}

function numberOf (digits: string | undefined, radix: number): number | null {
  const code = digits === undefined ? NaN : parseInt(digits, radix)
  return code <= 0xffff ? code : null
}

function hexValue (code: number | undefined): number {
  if (code === undefined) return -1
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
