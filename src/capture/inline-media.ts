import { readBase64, type Media } from './media-runs.js'
import type { Steps } from '../lib/slices.js'
import { percentDecoded, urlTextEnd } from './url-runs.js'

/** The text in place of media that is not stored. */
export function elided (mime: string, sizeBytes: number, sha256?: string): string {
  return `[elided ${mime}, ${sizeBytes} bytes${sha256 === undefined ? '' : `, sha256:${sha256}`}]`
}

/** Media in a body: its place and its description. */
export interface Found extends Media {
  readonly start: number
  readonly mime: string
}

interface Body {
  readonly bytes: Buffer
  /** Of its images, once one has asked. */
  imageMime?: string
}

/** So far ahead all markers are looked for: media behind one of them are never searched for the others. */
const searchBytes = 16_384

interface Marker {
  readonly text: string
  /** Reads the media that the marker at `at` announces; null where it announces none. */
  readonly read: (body: Body, at: number) => Steps<Found | null>
}

/** The text that is stored in place of media. */
export const elisionMark = ({ mime, sizeBytes, sha256 }: Found): string => elided(mime, sizeBytes, sha256)

/**
 * The inline media of a body, in their order. It may be JSON, JSON in a JSON string, any text, or a part of these.
 * Finding is left to native code: what is not media is searched once per marker. Media are decoded and hashed in
 * pieces, so that none is ever held a second time.
 *
 * @param wantedBytes how much of the body matters, with marks in the place of media: media behind that much are not
 * looked   for, so that a body of nothing but small media costs no more than what is kept of it
 */
export function * findInlineMedia (bytes: Buffer, wantedBytes: number): Steps<Found[]> {
  const all: Found[] = []
  const body: Body = { bytes }
  let kept = 0
  /** By how much the result is shorter than the body so far. */
  let savedBytes = 0
  /** Where each marker stands next, as far as it was looked for; -1: nowhere before `searchedTo`. */
  const next = markers.map(() => -1)
  let searchedTo = 0
  const search = (marker: number, from: number): void => {
    const text = markers[marker]?.text ?? ''
    const at = from < searchedTo ? bytes.subarray(from, searchedTo + text.length - 1).indexOf(text) : -1
    next[marker] = at === -1 ? -1 : from + at
  }
  for (let looks = 1; ; looks++) {
    if (looks % 16 === 0) yield
    let first = -1
    for (let i = 0; i < next.length; i++) {
      const at = next[i] ?? -1
      if (at !== -1 && (first === -1 || at < (next[first] ?? -1))) first = i
    }
    const marker = markers[first]
    const at = marker === undefined ? searchedTo : next[first] ?? -1
    if (at >= bytes.length || at - savedBytes > wantedBytes) return all
    if (marker === undefined) {
      searchedTo += searchBytes
      for (let i = 0; i < next.length; i++) search(i, at)
      continue
    }
    const found = yield * marker.read(body, at)
    if (found === null) {
      search(first, at + marker.text.length)
      continue
    }
    all.push(found)
    kept = found.end
    savedBytes += found.end - found.start - Buffer.byteLength(elisionMark(found))
    searchedTo = Math.max(searchedTo, kept)
    for (let i = 0; i < next.length; i++) {
      const was = next[i] ?? -1
      if (was !== -1 && was < kept) search(i, kept)
    }
  }
}

/** The body in pieces, with each of the media replaced by its `mark`. */
export function * withoutMedia (
  bytes: Buffer, media: readonly Found[], mark: (found: Found) => string
): Steps<Buffer[]> {
  if (media.length === 0) return [bytes]
  const pieces: Buffer[] = []
  let kept = 0
  for (const found of media) {
    pieces.push(bytes.subarray(kept, found.start), Buffer.from(mark(found)))
    kept = found.end
    if (pieces.length % 512 === 0) yield
  }
  pieces.push(bytes.subarray(kept))
  return pieces
}

/** How far around a marker its key, its colon and its siblings are looked for. */
const nearBytes = 512
/** A percent-encoded URL is worth replacing, and no longer a word of prose, from here on. */
const minUrlTextBytes = 64
/** A field's value that is not base64 up to its quote is taken for media from here on. */
const minBrokenBase64Bytes = 64

// Two begin with the underscore of their key: text has few of them, so that the search goes fast.
const markers: readonly Marker[] = [
  { text: 'data:', read: readDataUrl },
  { text: 'b64_json', read: (body, at) => readValue(body, at + 'b64_json'.length, /^\\*"\s*:\s*\\*"/, imageMime) },
  {
    text: '_data',
    read: function * (body, at) {
      if (body.bytes.toString('latin1', at - 4, at) !== 'file') return null
      return yield * readValue(body, at + '_data'.length, /^\\*"\s*:\s*\\*"/, () => 'application/octet-stream')
    }
  },
  // `input_audio` of a request, `audio` of an answer.
  {
    text: 'audio"',
    read: (body, at) => readValue(body, at + 'audio"'.length, /^\s*:\s*\{[^{}]*?"data"\s*:\s*"/, audioMime)
  },
  {
    text: '_generation_call"',
    read: (body, at) => readValue(body, at + '_generation_call"'.length, /^[^{}]*?"result"\s*:\s*"/, imageMime)
  }
]

/** RFC 2397, in JSON as its writers escape it: PHP writes `\/` for a slash, .NET `\u002B` for a plus sign. */
const dataUrlHead = /^((?:[\w.+-]|\\+u002b)+\\*\/(?:[\w.+-]|\\+u002b)+)?((?:;[^;,"'\s\\]{1,128})*),/i

function * readDataUrl ({ bytes }: Body, at: number): Steps<Found | null> {
  if (wordCharacter(bytes[at - 1]) || !urlHeadStart(bytes[at + 5])) return null
  const head = dataUrlHead.exec(near(bytes, at + 5))
  if (head === null) return null
  const start = at + 5 + head[0].length
  const type = head[1]?.replace(/(?<!\\)\\+u002b/gi, '+').replaceAll('\\', '')
  const mime = type ?? 'text/plain'
  if (/;base64$/i.test(head[2] ?? '')) {
    const media = yield * readBase64(bytes, start)
    return media === null ? null : { ...media, start: at, mime }
  }
  // A JSON string that begins with a URL is one to its end; elsewhere the URL's own characters bound it.
  const isWholeValue = type !== undefined && bytes[at - 1] === quote && bytes[at - 2] !== backslash
  const end = yield * isWholeValue ? closingQuote(bytes, start) : urlTextEnd(bytes, start)
  return end - start < minUrlTextBytes ? null : { ...yield * percentDecoded(bytes, start, end), start: at, mime }
}

/** The base64 value that begins where `opening`, matched after a key at `at`, ends. */
function * readValue (
  body: Body, at: number, opening: RegExp, mimeOf: (body: Body, keyEnd: number, end: number) => string
): Steps<Found | null> {
  const { bytes } = body
  const match = opening.exec(near(bytes, at))
  if (match === null) return null
  const start = at + match[0].length
  const media = yield * readBase64(bytes, start)
  if (media === null) return null
  const isToItsEnd = media.end === bytes.length || bytes[media.end] === quote || bytes[media.end] === backslash
  if (!isToItsEnd && media.end - start < minBrokenBase64Bytes) return null
  return { ...media, start, mime: mimeOf(body, at, media.end) }
}

/** The sibling `format` of `data` says it; an answer's audio has none, its format stands in the request. */
function audioMime ({ bytes }: Body, keyEnd: number, end: number): string {
  const siblings = /^[^{}]*\{[^{}]*/.exec(near(bytes, keyEnd))?.[0] ?? ''
  const after = /^[^{}]*/.exec(near(bytes, end))?.[0] ?? ''
  const format = /"format"\s*:\s*"([\w.+-]+)"/.exec(siblings + after)?.[1]
  return `audio/${format ?? '*'}`
}

/** An answer has one `output_format`, wherever it stands in the object around the images. */
function imageMime (body: Body): string {
  if (body.imageMime === undefined) {
    const at = body.bytes.indexOf('output_format')
    const format = at === -1 ? undefined : /^output_format\\*"\s*:\s*\\*"([\w.+-]+)/.exec(near(body.bytes, at))?.[1]
    body.imageMime = `image/${format ?? 'png'}`
  }
  return body.imageMime
}

const quote = 0x22
const backslash = 0x5c

/** The index of the quote that ends the JSON string around `from`, or the body's end. */
function * closingQuote (bytes: Buffer, from: number): Steps<number> {
  let at = bytes.indexOf(quote, from)
  for (let quotes = 1; at !== -1; quotes++) {
    if (quotes % 4096 === 0) yield
    let backslashes = 0
    while (bytes[at - 1 - backslashes] === backslash) backslashes++
    if (backslashes % 2 === 0) return at
    at = bytes.indexOf(quote, at + 1)
  }
  return bytes.length
}

/** Latin-1: an index into it is an index into the bytes. */
function near (bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, at + nearBytes)
}

function wordCharacter (byte: number | undefined): boolean {
  return byte !== undefined && /\w/.test(String.fromCharCode(byte))
}

/** A type, a parameter or the comma: all that may follow `data:` in a URL, and prose (`data: …`) does not have. */
function urlHeadStart (byte: number | undefined): boolean {
  return byte !== undefined && /[\w;,]/.test(String.fromCharCode(byte))
}
