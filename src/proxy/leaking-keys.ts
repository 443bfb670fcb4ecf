import { type GatewayKeyLike, findGatewayKeys } from '../redaction/key-shapes.js'
import { unescape } from '../redaction/unescape.js'

/** Base64 and base64url (RFC 4648 §4, §5), without padding. */
const BASE64_RUNS = /[\w+/-]+/g
/** What may begin an escape of a character. */
const ESCAPE = /[%\\&]/
/** A gateway key has 46 characters. */
const MIN_BASE64_CHARACTERS = Math.ceil(46 * 4 / 3)
/** What `pm_` and `%2` to `%7` come to in base64, at each of three alignments: hardly any run has to be decoded. */
const ENCODED_MARKER = /cG1f|BtX|wbV[89]|JT[I-Zcd]|[CSiy]U[yz0-3]|l[MN]/
/** A key may begin at any bit of a run's groups of four characters, the first of which may be a part of one. */
const ALIGNMENTS = ['', 'A', 'AA', 'AAA'] as const

/**
 * All that has the shape of a gateway key in a text, in its order: plain, escaped, or anywhere in base64, of which the
 * whole run is the range. Linear in the text's length.
 */
export function findLeakingKeys (text: string): GatewayKeyLike[] {
  const plain = findGatewayKeys(text)
  if (text.length < MIN_BASE64_CHARACTERS) return plain
  const found = [...plain]
  findEncoded(text, at => at, found)
  if (ESCAPE.test(text)) {
    const { text: unescaped, starts } = unescape(text)
    findEncoded(unescaped, at => starts[at] ?? text.length, found)
  }
  // The longer one covers those in it.
  return found.length === plain.length ? plain : found.sort((a, b) => a.start - b.start || b.end - a.end)
}

function findEncoded (text: string, original: (at: number) => number, found: GatewayKeyLike[]): void {
  for (const { 0: run, index } of text.matchAll(BASE64_RUNS)) {
    if (run.length < MIN_BASE64_CHARACTERS || !ENCODED_MARKER.test(run)) continue
    const range = { start: original(index), end: original(endOfPadding(text, index + run.length)) }
    for (const before of ALIGNMENTS) {
      const decoded = Buffer.from(before + run, 'base64').toString('latin1')
      for (const { key, standsAlone } of findGatewayKeys(decoded)) found.push({ ...range, key, standsAlone })
    }
  }
}

function endOfPadding (text: string, from: number): number {
  let end = from
  while (end < from + 2 && text.charAt(end) === '=') end++
  return end
}
