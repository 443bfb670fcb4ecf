import fc from 'fast-check'
import t from 'tap'
import { holdsKey, isKeyName, redactKeys } from '../../src/redaction/redact.js'
import { unescape } from '../../src/redaction/unescape.js'
import { quickestMs } from '../helpers/cpu-time.js'

const REDACTED = '[redacted key]'
/** As random as keys are. */
const body = 'aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zC5fG2hJ8kL3nP6qR9'
const keys = [
  `sk-${body}`,
  `sk-proj-${body}`,
  `sk-admin-${body}`,
  `sk-svcacct-${body}`,
  `sk-ant-api03-${body}`,
  `sess-${body.slice(0, 40)}`,
  `pm_${body.slice(0, 43)}`,
  'sk-proj-' + '0f1e2d3c'.repeat(5)
]
const key = fc.constantFrom(...keys)

const hex = (code: number, digits = 2): string => code.toString(16).padStart(digits, '0')
/** Ways to write a character, each of which the next may write again. */
const escapes: ReadonlyArray<(code: number) => string> = [
  code => `%${hex(code)}`, code => `%${hex(code).toUpperCase()}`, code => `\\u${hex(code, 4)}`, code => `\\x${hex(code)}`, code => `\\u{${hex(code)}}`,
  code => `&#${code};`, code => `&#x${hex(code)};`, code => String.fromCharCode(code)
]
const written = (text: string, pick: (i: number) => number): string =>
  Array.from(text, (character, i) => escapes[pick(i) % escapes.length]?.(character.charCodeAt(0)) ?? character).join('')
const outer: ReadonlyArray<(text: string) => string> = [
  text => text, encodeURIComponent, text => JSON.stringify(text).slice(1, -1), text =>
    encodeURIComponent(encodeURIComponent(text)),
  text =>
    JSON.stringify(JSON.stringify(text))
      .slice(1, -1), text => text.replaceAll('&', '&amp;'), text => encodeURIComponent(JSON.stringify(text))
]

/** All that the text stands for once nothing in it is escaped any more. */
const decodedWhole = (text: string): string => unescape(text).text

t.test('no key survives, whichever of its characters are escaped, in whatever way, how many times', t => {
  const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 60 })
  const before = fc.constantFrom(
    '', ' ', '?k%3D', 'Bearer%20', '"', 'key=', 'x', '3D', '\\n', '\n', 'é', 'Authorization:'
  )
  fc.assert(fc.property(key, picks, fc.constantFrom(...outer), before, fc.constantFrom(
    '', '"', ' and so on', '%20', '\\"'
  ), (key, picks, wrap, before, after) => {
    const text = wrap(before + written(key, i => picks[i % picks.length] ?? 0) + after)
    const redacted = redactKeys(text)
    if (decodedWhole(redacted).includes(key)) throw new Error(`left: ${redacted}`)
    if (!redacted.includes(REDACTED) || !holdsKey(text)) throw new Error(`not found in: ${text}`)
  }), { numRuns: 3000 })
  t.end()
})

t.test('JSON stays JSON, in keys and values, and what is beside a key stays', t => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(fc.property(key, fc.array(fc.nat(), { minLength: 1 }), text, text, fc.nat(2), (
    key, picks, head, tail, depth
  ) => {
    const secret = written(key, i => picks[i % picks.length] ?? 0)
    let json = JSON.stringify({ [`a ${secret} b`]: [`${head} <${secret}> ${tail}`, { deeper: secret }] })
    for (let i = 0; i < depth; i++) json = JSON.stringify({ json })
    const redacted = redactKeys(json)
    JSON.parse(redacted)
    if (decodedWhole(redacted).includes(key)) throw new Error(redacted)
    if (depth === 0 &&
      !JSON.stringify(JSON.parse(redacted))
        .includes(JSON.stringify(`${head} <${REDACTED}> ${tail}`))) throw new Error(redacted)
  }), { numRuns: 1500 })
  t.end()
})

t.test('JSON that another program escapes to ASCII is read like any other', t => {
  const json =
    `{"t":"\\u003ca href=\\u0022?key=${keys[1] ?? ''}\\u0026x=1\\u0022\\u003e \\u043a\\u043b\\u044e\\u0447 \\ud83d\\ude00"}`
  t.equal(redactKeys(json), json.replace(keys[1] ?? '', REDACTED))
  t.end()
})

t.test('where a key ends in an escape, all of the escape goes', t => {
  const cut = `sk-proj-${body.slice(0, -1)}\\u0039 rest`
  t.equal(redactKeys(`"${cut}"`), `"${REDACTED} rest"`)
  t.equal(redactKeys(`\\\\u0073k-${body}\\\\n`), `${REDACTED}\\\\n`)
  t.end()
})

t.test('words, hashes, ids and media that only look like a key stay', t => {
  const random = Buffer.from(Array.from({ length: 90_000 }, (_, i) => (i * i * 31 + i * 7) >> 3))
  for (const text of [
    'task-lists-of-small-teams', 'desk-research-about-the-2024-elections-in-europe', 'disk-encryption', 'risk-admin-dashboard-2024-reporting-overview',
    'disk-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'task-123e4567-e89b-12d3-a456-426614174000', 'Task-Q3-Review-Of-Sales-2024',
    'apm_metrics_collected_by_the_agent_every_minute_total', 'rpm_limit_of_the_gateway_per_minute_and_per_model_name', 'assess-the-situation-of-all-small-teams',
    'sess-123e4567-e89b-12d3-a456-426614174000', 'week_2024_11_number_of_active_users_per_day', 'ek_short', '100%73 sure\\u0073', '&#115;ee', '%73%6b%2d',
    'chatcmpl-AbC123dEf456GhI789jKl012MnO345', 'resp_68af296e8e408191a1120ab6383263c2', random.toString(
      'base64'
    ), random.toString('hex')
  ]) t.equal(redactKeys(text), text, text.slice(0, 60))
  t.end()
})

t.test('a name of words is no key, a key is, wherever it stands in the name', t => {
  for (const name of [
    'sk-product-description-generator', 'task-lists-of-small-teams', 'generate_image_metadata', 'summary:v2.1',
    'pm_daily'
  ]) t.equal(isKeyName(name), false, name)
  for (const key of keys) {
    for (const name of [
      key, `a.${key}`, `${key}:v2`, `type-${key}`
    ]) t.equal(isKeyName(name), true, name)
  }
  t.end()
})

t.test('of a text that was cut, no beginning of a key stays at the end, nor at that of a string in it', t => {
  const key = keys[1] ?? ''
  for (let length = 8; length < key.length; length++) {
    t.equal(redactKeys(`{"a":"my ${key.slice(0, length)}`, true), `{"a":"my ${REDACTED}`)
    t.equal(redactKeys(
      `{"a":"my ${key.slice(0, length)}","truncated_bytes":1}`, true
    ), `{"a":"my ${REDACTED}","truncated_bytes":1}`)
  }
  for (const rest of [
    '%', '%4', '\\', '\\u', '\\u00', '\\u004', '\\x', '\\x4'
  ]) t.equal(redactKeys(`my sk-proj-aB3d${rest}`, true), `my ${REDACTED}${rest}`)
  t.equal(redactKeys('a task-list, sk-SK and more', true), 'a task-list, sk-SK and more')
  t.end()
})

t.test('the time is linear, whatever is repeated', t => {
  const units = ['sk-', 'sk-a', 'ask-', 'ask-a1-', 'task-B1c2D3', 'pm_', 'a1pm_', 'sess-', 'asess-', 'ek_', 'aek_', '%73', '%73k-', '%25', '%5c', '\\u0073', '\\u0073k\\u002d', '\\', '\\\\u',
    '\\u{', '}', '&amp;', '&#115;', '&#', ';', '"sk-abcdefgh"', 'sk-proj-', 'xsk-proj-', 'sk-ant-a1', 'a-_', 'aB1', '%', '%2', '&&;;']
  const millisecondsFor = (unit: string, sizeBytes: number): number => {
    const text = unit.repeat(Math.ceil(sizeBytes / unit.length))
    return quickestMs(() => redactKeys(text) + redactKeys(text, true), 3)
  }
  for (const unit of units) {
    const small = millisecondsFor(unit, 262_144)
    const large = millisecondsFor(unit, 2_097_152)
    // Eight times as long; were it quadratic, it would take sixty-four times.
    t.ok(large < 32 * Math.max(small, 2), `${unit}: ${small.toFixed(1)} ms for 256 kB, ${large.toFixed(1)} ms for 2 MB`)
  }
  t.end()
})
