import fc from 'fast-check'
import t from 'tap'
import { redactKeys } from '../../src/redaction/redact.js'

const keyCharacters = Array.from('ABCXYZabcxyz0189_-')
const openAi = fc.tuple(
  fc.constantFrom('sk-', 'sk-proj-', 'sk-admin-', 'sk-svcacct-'),
  fc.string({ unit: fc.constantFrom(...keyCharacters), minLength: 20, maxLength: 160 })
)
const gateway = fc.tuple(
  fc.constant('pm_'), fc.string({ unit: fc.constantFrom(...keyCharacters), minLength: 43, maxLength: 43 })
)
const key = fc.oneof(openAi, gateway).map(parts => parts.join(''))
const before = fc.constantFrom(
  '', ' ', '\n', '\t', '\u0001', '\u2028', '"', '=', '_', ':', '/', '(', 'Bearer ', 'é', '{"key":"', '\\'
)
const after = fc.constantFrom('', ' ', '\n', '"', '.', ',', '"}')

t.test('no key survives, in plain text or in the strings of JSON', t => {
  fc.assert(fc.property(fc.string(), before, key, after, fc.string(), (head, before, key, after, tail) => {
    const text = `${head}${before === '' ? ' ' : before}${key}${after}${tail}`
    if (redactKeys(text).includes(key)) throw new Error('a key is left in plain text')
    const json = redactKeys(JSON.stringify({ text }))
    if (json.includes(key)) throw new Error('a key is left in JSON')
    JSON.parse(json)
  }), { numRuns: 1000 })
  t.end()
})

t.test('every key of a text goes, the text around it stays', t => {
  const sk = 'sk-proj-' + 'a1'.repeat(20)
  const pm = 'pm_' + 'Zz_-0'.repeat(8) + 'abc'
  t.equal(redactKeys(`one ${sk}, two ${pm}; ${sk}`), 'one [redacted key], two [redacted key]; [redacted key]')
  t.equal(
    redactKeys(JSON.stringify(`mine:\n${sk}\nyours:\t${pm}`)), '"mine:\\n[redacted key]\\nyours:\\t[redacted key]"'
  )
  t.equal(redactKeys(`\\u003c${sk}>`), '\\u003c[redacted key]>')
  t.end()
})

t.test('what only looks like a key stays', t => {
  const texts = [
    '',
    'no key',
    'sk-short',
    'task-lists-of-small-teams-in-large-companies',
    'disk-encryption-for-everyone-and-all',
    'rpm_' + 'a'.repeat(43),
    'pm_' + 'a'.repeat(42),
    'sk-abc***********************wxyz'
  ]
  for (const text of texts) t.equal(redactKeys(text), text)
  t.end()
})
