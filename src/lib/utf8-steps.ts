import type { Steps } from './slices.js'

/** The part that is decoded in a step. */
const STEP_BYTES = 65_536

/** As `bytes.toString()`, in steps. @param change what becomes of each step's text */
export function * decodingUtf8 (bytes: Buffer, change = (text: string): string => text): Steps<string> {
  if (bytes.length <= STEP_BYTES) return change(bytes.toString())
  const parts: string[] = []
  for (let from = 0, to = 0; from < bytes.length; from = to) {
    if (from > 0) yield
    to = from + STEP_BYTES >= bytes.length ? bytes.length : characterStart(bytes, from + STEP_BYTES)
    parts.push(change(bytes.toString('utf8', from, to)))
  }
  return parts.join('')
}

/** Close before `at`, a place where what is decoded of UTF-8 does not depend on what stands before it. */
function characterStart (bytes: Buffer, at: number): number {
  // A character has at most three bytes behind its first: of more of them, each stands for itself, and is none.
  for (let start = at; start > at - 4; start--) if (((bytes[start] ?? 0) & 0xc0) !== 0x80) return start
  return at
}

/** `at`, or one further where a surrogate pair stands there: its halves by themselves have no UTF-8. */
export function behindPair (text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff ? at + 1 : at
}
