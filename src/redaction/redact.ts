import { type Range, findKeys } from './key-shapes.js'

const REDACTED = '[redacted key]'

/**
 * The text without API keys, however they are escaped: none is ever stored, logged or answered, by whatever way it
 * came. JSON text stays JSON text.
 *
 * @param endsEarly the text was cut at its end, or a JSON string in it was: no half of a key stays there
 */
export function redactKeys (text: string, endsEarly = false): string {
  return replaceRanges(text, findKeys(text, endsEarly), REDACTED)
}

/** Whether there is a key in the text. */
export function holdsKey (text: string): boolean {
  return findKeys(text).length > 0
}

/** Small letters between hyphens, each part no longer than a word. */
const WORDS = /^[a-z]{1,16}(?:-[a-z]{1,16})*$/

/**
 * Whether a name is a key, or has one in it. One of nothing but words is none, though text like it is redacted:
 * `sk-product-descriptions`.
 */
export function isKeyName (name: string): boolean {
  return holdsKey(name) && !WORDS.test(name)
}

/** The text with something else in place of these parts of it, which are in order. */
export function replaceRanges (text: string, ranges: readonly Range[], replacement: string): string {
  if (ranges.length === 0) return text
  let replaced = ''
  let at = 0
  for (const { start, end } of ranges) {
    if (start < at) continue
    replaced += text.slice(at, start) + replacement
    at = end
  }
  return replaced + text.slice(at)
}
