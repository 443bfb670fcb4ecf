import { type Steps, inOneGo } from '../lib/slices.js'
import { type Range, findKeys, findingKeys } from './key-shapes.js'

const REDACTED = '[redacted key]'

/**
 * The text without API keys, however they are escaped. No key is ever stored, logged or returned. JSON text stays JSON
 * text.
 *
 * @param endsEarly the text was cut at its end, or a JSON string in it was: no part of a key stays there
 */
export function redactKeys (text: string, endsEarly = false): string {
  return replaceRanges(text, findKeys(text, endsEarly), REDACTED)
}

/** As `redactKeys`, in steps. */
export function * redactingKeys (text: string, endsEarly = false): Steps<string> {
  return yield * replacingRanges(text, yield * findingKeys(text, endsEarly), REDACTED)
}

/** Whether the text contains a key. */
export function holdsKey (text: string): boolean {
  return findKeys(text).length > 0
}

/** Small letters between hyphens, each part no longer than a word. */
const WORDS = /^[a-z]{1,16}(?:-[a-z]{1,16})*$/

/**
 * Whether a name is or contains a key. A name of plain words is none, though text like it is redacted:
 * `sk-product-descriptions`.
 */
export function isKeyName (name: string): boolean {
  return holdsKey(name) && !WORDS.test(name)
}

/** The number of ranges that are replaced in a step. */
const STEP_RANGES = 1024

/** The text with these ranges replaced, which are in order. */
export function replaceRanges (text: string, ranges: readonly Range[], replacement: string): string {
  return ranges.length === 0 ? text : inOneGo(replacingRanges(text, ranges, replacement))
}

function * replacingRanges (text: string, ranges: readonly Range[], replacement: string): Steps<string> {
  if (ranges.length === 0) return text
  const replaced: string[] = []
  let at = 0
  for (let from = 0; from < ranges.length; from += STEP_RANGES) {
    if (from > 0) yield
    const parts: string[] = []
    for (const { start, end } of ranges.slice(from, from + STEP_RANGES)) {
      if (start < at) continue
      parts.push(text.slice(at, start), replacement)
      at = end
    }
    replaced.push(parts.join(''))
  }
  return replaced.join('') + text.slice(at)
}
