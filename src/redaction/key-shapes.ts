import { type Steps, inOneGo } from '../lib/slices.js'
import { unescape, unescaping } from './unescape.js'

// What counts as a key, in text whose escapes are decoded:
//
//   sk-…    OpenAI's (sk-proj-, sk-admin-, sk-svcacct-) and others' of that form: 20 or more of A-Z a-z 0-9 _ -
//   pm_…    this gateway's: 43 or more of them
//   sess-…  OpenAI's of a login, 20 or more that look random
//   ek_…    OpenAI's ephemeral ones, 24 or more letters and digits
//
// Where a letter or digit stands before it, it may be the end of a word ("task-lists-of-small-teams", "rpm_…"): there
// it has to look random as well, unless it names its kind (sk-proj-). A hash or UUID behind such a word
// ("disk-9f86d0…") does not.

/** A part of a text, from `start` up to `end`. */
export interface Range {
  readonly start: number
  readonly end: number
}

const MARKER = /sk-|pm_|sess-|ek_/g
/** The part of a key that has to look random. */
const LOOKED_AT = 96
/** A key that the end of the text cuts is hidden from this many characters after its marker on. */
const CUT_KEY_CHARACTERS = 4

const EPHEMERAL = /^ek_[A-Za-z0-9]{24}/
/** Longer than words are, or long and with a digit. */
const NO_WORDS = /[A-Za-z0-9]{24}|(?=[A-Za-z]{0,15}\d)[A-Za-z0-9]{16}/
const NO_WORD_CHARACTERS = 16
const LONGEST_NO_WORDS = 24
/** The end of the text or of a string, behind what may be the beginning of an escape. */
const CUT = /^(?:%[\da-f]?|\\(?:u[\da-f]{0,3}|x[\da-f]?)?)?(?:"|$)/i

/** An escape that may stand for a character of a key, or for one of another escape. */
const ESCAPE = /%[2-7][\da-f]|\\[ux]|&(?:#|amp;|lowbar;)/i
/** One that may stand for a character of a marker. */
const MARKER_ESCAPE = /(?:%|\\u00|\\x)(?:2[56d]|5[cf]|6[5bd]|7[03])|\\u\{|&(?:#|amp;|lowbar;)/i

/** The text that is searched in a step. */
const STEP_CHARACTERS = 16_384
/** No marker, and no escape of a character of one, is longer: each is found where it begins. */
const LONGEST_MATCH = 16

/**
 * The API keys in a text, as places in it, in their order. Cheap where there are none; linear in any case.
 *
 * @param endsEarly the text was cut at its end, or a JSON string in it was: what may be the beginning of a key there
 * is one
 */
export function findKeys (text: string, endsEarly = false): Range[] {
  if (text.length <= STEP_CHARACTERS && !mayHoldKey(text)) return []
  return inOneGo(findingKeys(text, endsEarly))
}

/** As `findKeys`, in steps. */
export function * findingKeys (text: string, endsEarly = false): Steps<Range[]> {
  if (!(yield * someStep(text, mayHoldKey))) return []
  if (!(yield * someStep(text, part => ESCAPE.test(part)))) return yield * keysIn(text, endsEarly, at => at)
  const { text: plain, starts } = yield * unescaping(text)
  return yield * keysIn(plain, endsEarly, at => starts[at] ?? text.length)
}

function mayHoldKey (text: string): boolean {
  return text.includes('sk-') || text.includes('pm_') || text.includes('sess-') || text.includes('ek_') ||
    MARKER_ESCAPE.test(text)
}

/** Whether it is true of a part of the text, each long enough that no match begins in it and ends behind it. */
function * someStep (text: string, holds: (part: string) => boolean): Steps<boolean> {
  for (let from = 0; from < text.length; from += STEP_CHARACTERS) {
    if (from > 0) yield
    if (holds(stepOf(text, from))) return true
  }
  return false
}

function stepOf (text: string, from: number): string {
  return text.length <= STEP_CHARACTERS ? text : text.slice(from, from + STEP_CHARACTERS + LONGEST_MATCH)
}

/** @param original where a place of the text is in the one that the caller knows */
function * keysIn (text: string, endsEarly: boolean, original: (at: number) => number): Steps<Range[]> {
  const keys: Range[] = []
  let lastEnd = 0
  let runEnd = 0
  /** A key that began before here would have been seen in what was looked at last. */
  let notRandomTo = 0
  const looksRandom = (start: number, body: number): boolean => {
    if (start < notRandomTo) return false
    if (isRandom(text.slice(body, Math.min(runEnd, body + LOOKED_AT)))) return true
    notRandomTo = Math.min(runEnd, body + LOOKED_AT / 2)
    return false
  }
  const hasNoWords = searchForNoWords(text)
  for (let from = 0; from < text.length; from += STEP_CHARACTERS) {
    if (from > 0) yield
    for (const { 0: marker, index } of stepOf(text, from).matchAll(MARKER)) {
      if (index >= STEP_CHARACTERS && text.length > STEP_CHARACTERS) break
      const start = from + index
      if (start < lastEnd) continue
      if (start >= runEnd) runEnd = yield * runEndOf(text, start)
      const body = start + marker.length
      const looks = looksOf(marker, text, start, runEnd, hasNoWords)
      const isWhole = looks === 'key' || (looks === 'maybe' && looksRandom(start, body))
      if (!isWhole && !(endsEarly && isCutKey(text, start, body, runEnd))) continue
      keys.push({ start: original(start), end: original(runEnd) })
      lastEnd = runEnd
    }
  }
  return keys
}

/** Whether what is no row of words begins and ends between two places, which never go back. */
type SearchForNoWords = (from: number, to: number) => boolean

/** Each place is looked at once, but for the few that say how the one before goes on. */
function searchForNoWords (text: string): SearchForNoWords {
  let foundAt = -1
  let searchedTo = 0
  return (from, to) => {
    if (foundAt < from) {
      const start = Math.max(from, searchedTo)
      const found = NO_WORDS.exec(text.slice(start, to + LONGEST_NO_WORDS - NO_WORD_CHARACTERS))
      if (found === null || start + found.index + NO_WORD_CHARACTERS > to) {
        searchedTo = Math.max(start, to - NO_WORD_CHARACTERS + 1)
        return false
      }
      foundAt = start + found.index
    }
    return foundAt + NO_WORD_CHARACTERS <= to
  }
}

/** What can be said of a key without a look at how random it is. */
function looksOf (
  marker: string, text: string, start: number, end: number, hasNoWords: SearchForNoWords
): 'key' | 'maybe' | 'none' {
  const length = end - start - marker.length
  const beginsWord = isBorder(text, start)
  switch (marker) {
    case 'pm_': return length < 43 ? 'none' : beginsWord ? 'key' : 'maybe'
    case 'ek_':
      if (length < 24) return 'none'
      return beginsWord && EPHEMERAL.test(text.slice(start, start + 27)) ? 'key' : 'maybe'
    case 'sk-': return length < 20
      ? 'none'
      : beginsWord || isOfKnownKind(text, start, end, hasNoWords) ? 'key' : 'maybe'
    default: return length < 20 ? 'none' : 'maybe'
  }
}

/** `sk-proj-…`: what follows has to be no row of words, but may be hexadecimal. */
function isOfKnownKind (text: string, start: number, end: number, hasNoWords: SearchForNoWords): boolean {
  const kind = /^sk-(?:proj|admin|svcacct|ant|or)-/.exec(text.slice(start, start + 11))?.[0]
  return kind !== undefined && hasNoWords(start + kind.length, Math.min(end, start + LOOKED_AT))
}

/** It goes to where the text, or a JSON string of it, was cut, maybe in the middle of an escape. */
function isCutKey (text: string, start: number, body: number, end: number): boolean {
  return end - body >= CUT_KEY_CHARACTERS && isBorder(text, start) && CUT.test(text.slice(end, end + 8))
}

/** Whether a word may begin there: no letter or digit stands before it, other than that of an escape (`\nsk-…`). */
function isBorder (text: string, at: number): boolean {
  if (at === 0 || !isAlphanumeric(text.charCodeAt(at - 1))) return true
  return text.charAt(at - 2) === '\\' && 'bfnrt'.includes(text.charAt(at - 1))
}

/** Whether it is no row of words: it mixes capitals, small letters and digits, or goes on for longer than words do. */
function isRandom (text: string): boolean {
  const mixes = text.match(/[a-z][A-Z]|[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0
  if (/[a-z]/.test(text) && /[A-Z]/.test(text) && mixes >= (/\d/.test(text) ? 6 : 8)) return true
  const longest = text.split(/[_-]/).reduce((longest, part) => part.length > longest.length ? part : longest, '')
  const hasDigit = /\d/.test(longest)
  if (hasDigit && /^[\da-f]*$/i.test(longest)) return false // A hash.
  return longest.length >= (hasDigit ? 20 : 44)
}

/** Where the key characters end that begin at `from`. */
function * runEndOf (text: string, from: number): Steps<number> {
  for (let at = from; ;) {
    const end = endOfRun(text, at, at + STEP_CHARACTERS)
    if (end < at + STEP_CHARACTERS) return end
    at = end
    yield
  }
}

function endOfRun (text: string, from: number, limit = text.length): number {
  const last = Math.min(limit, text.length)
  let end = from
  while (end < last && isKeyCharacter(text.charCodeAt(end))) end++
  return end
}

function isKeyCharacter (code: number): boolean {
  return isAlphanumeric(code) || code === 0x5f || code === 0x2d
}

function isAlphanumeric (code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39)
}

/** A text in the shape of a gateway key, however it is escaped. */
export interface GatewayKeyLike extends Range {
  readonly key: string
  /** Nothing that a key may have in it stands before or behind it. */
  readonly standsAlone: boolean
}

const GATEWAY_KEY_CHARACTERS = 46
const ESCAPED_GATEWAY_MARKER = /%(?:25|5c|5f|6d|70)|\\[ux]|&(?:#|amp;|lowbar;)/i

/** Whether a text may contain a gateway key at all; a cheap check. */
export function mayHoldGatewayKey (text: string): boolean {
  if (text.includes('pm_')) return true
  return (text.includes('%') || text.includes('\\') || text.includes('&')) && ESCAPED_GATEWAY_MARKER.test(text)
}

/** All texts in the shape of a gateway key, in order. */
export function findGatewayKeys (text: string): GatewayKeyLike[] {
  if (!mayHoldGatewayKey(text)) return []
  const { text: plain, starts } = unescape(text)
  const found: GatewayKeyLike[] = []
  for (let at = plain.indexOf('pm_'), runEnd = 0; at !== -1; at = plain.indexOf('pm_', at + 1)) {
    if (at >= runEnd) runEnd = endOfRun(plain, at)
    const end = at + GATEWAY_KEY_CHARACTERS
    if (end > runEnd) continue
    const standsAlone = end === runEnd && (at === 0 || !isKeyCharacter(plain.charCodeAt(at - 1)))
    found.push({ start: starts[at] ?? 0, end: starts[end] ?? text.length, key: plain.slice(at, end), standsAlone })
  }
  return found
}
