import fc from 'fast-check'
import t from 'tap'
import { findKeys } from '../../src/redaction/key-shapes.js'
import { redactKeys } from '../../src/redaction/redact.js'
import { unescape } from '../../src/redaction/unescape.js'

// A long text is read in steps of 16,384 and 8,192 characters. What stands on the border of two of them is found as it
// is in a text that is one step: wherever in a long text a short one stands, the result is the same.

const STEP = 16_384
const body = 'aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zC5fG2hJ8kL3nP6qR9'
const pieces = fc.constantFrom(
  'sk-', 'pm_', 'sess-', 'ek_', 'sk-proj-', 'sk-ant-', body, body.slice(0, 24), body.slice(0, 17), 'words-of-', 'task-',
  '%73', '%73%6b%2d', '%2573', '\\u0073', '\\u', '&#115;', '&amp;', '&lowbar;', '%3', '3', '\\', '"', '.', ' ', '_', '-', 'é'
)
const text = fc.array(pieces, { minLength: 1, maxLength: 24 }).map(all => all.join(''))
/** How far before the border of a step the text begins. */
const before = fc.nat(300)

t.test('a key on the border of two steps is found as it is anywhere else', t => {
  fc.assert(fc.property(text, before, fc.nat(2), fc.boolean(), (text, before, steps, endsEarly) => {
    const filler = '.'.repeat(STEP * (steps + 1) - before)
    const found = findKeys(`${filler}${text}`, endsEarly)
    const alone = findKeys(`.${text}`, endsEarly)
    const moved = alone.map(({ start, end }) => ({ start: start + filler.length - 1, end: end + filler.length - 1 }))
    if (JSON.stringify(found) !== JSON.stringify(moved)) throw new Error(JSON.stringify({ found, moved }))
  }), { numRuns: 1500 })
  t.end()
})

t.test('a key may be as long as several steps, and what stands behind it is read anew', t => {
  for (const length of [STEP - 30, STEP, STEP + 1, 3 * STEP]) {
    const key = `sk-${body}${'a'.repeat(length)}`
    t.equal(redactKeys(`a ${key} b sk-${body} c`), 'a [redacted key] b [redacted key] c')
  }
  const words = `ask-proj-${'words-'.repeat(STEP)}`
  t.equal(redactKeys(`${words} sk-proj-${body}`), `${words} [redacted key]`)
  t.end()
})

t.test('thousands of keys are replaced, and all that stands between them stays', t => {
  const count = 5000
  t.equal(redactKeys(`é sk-${body} `.repeat(count)), 'é [redacted key] '.repeat(count))
  t.end()
})

t.test('an escape on the border of two steps is decoded as it is anywhere else', t => {
  fc.assert(fc.property(text, before, (text, before) => {
    const filler = '.'.repeat(STEP - before)
    const { text: plain, starts } = unescape(filler + text)
    const alone = unescape(text)
    if (plain !== filler + alone.text) throw new Error(plain.slice(filler.length))
    const moved = Array.from(alone.starts, start => start + filler.length)
    if (String(Array.from(starts.subarray(filler.length))) !== String(moved)) throw new Error('other places')
  }), { numRuns: 500 })
  t.end()
})
