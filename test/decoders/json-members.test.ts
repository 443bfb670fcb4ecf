import fc from 'fast-check'
import t from 'tap'
import { JsonMembers } from '../../src/decoders/json-members.js'

const NAMES = ['model', 'stream', 'usage', 'größe', 'a"b\\c', '\u{1f600}']

const whiteSpace = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 3 })
const anyString = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: fc.constantFrom('\\', '"', 'u', '/', '{', '}', ',', ':', 'é', '\n'), maxLength: 120 }),
  fc.constantFrom(...NAMES)
)

/** JSON text of a string, each character written as it is, or as one of the escapes that mean the same. */
const stringText = anyString.chain(value => fc.array(fc.boolean(), { minLength: value.length, maxLength: value.length })
  .map(escape => `"${[...Array(value.length).keys()].map(i => escape[i] === true
    ? `\\u${value.charCodeAt(i).toString(16).padStart(4, '0')}`
    : JSON.stringify(value.charAt(i)).slice(1, -1)).join('')}"`))

/** Members in white space, between brackets. */
const bracketed = (open: string, close: string, member: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(
    whiteSpace, fc.array(fc.tuple(whiteSpace, member, whiteSpace).map(parts => parts.join('')), { maxLength: 6 })
  )
    .map(([space, members]) => open + (members.length === 0 ? space : members.join(',')) + close)

const member = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(stringText, whiteSpace, whiteSpace, value)
    .map(([key, before, after, text]) => `${key}${before}:${after}${text}`)

const valueText = fc.letrec<{ value: string }>(tie => ({
  value: fc.oneof({ maxDepth: 4, depthSize: 'small' },
    stringText,
    fc.constantFrom(
      'null', 'true', 'false', '0', '-1.50e+3', '123456789012345678901234567890', '"'.concat('x'.repeat(200), '"')
    ),
    bracketed('[', ']', tie('value')),
    bracketed('{', '}', member(tie('value'))))
})).value

const documentText = fc.tuple(whiteSpace, bracketed('{', '}', member(valueText)), whiteSpace)
  .map(parts => parts.join(''))

/** Sizes of the chunks that a document comes in; what is left comes as one. */
const chunkSizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 })

function feed (members: JsonMembers, bytes: Buffer, sizes: readonly number[]): JsonMembers {
  let from = 0
  for (const size of sizes) {
    members.feed(Buffer.from(bytes.subarray(from, from + size)))
    from += size
  }
  members.feed(Buffer.from(bytes.subarray(from)))
  return members
}

const read = (text: string, wanted: readonly string[], sizes: readonly number[] = [], max?: number): JsonMembers =>
  feed(new JsonMembers(new Set(wanted), max), Buffer.from(text), sizes)

t.test('a member has the value that JSON.parse gives it, however the document is written and cut into chunks', t => {
  fc.assert(fc.property(documentText, chunkSizes, (text, sizes) => {
    const parsed = JSON.parse(text) as Record<string, unknown>
    const names = [...new Set([...Object.keys(parsed), ...NAMES])]
    const members = read(text, names, sizes)
    if (!members.complete) throw new Error('the document is complete')
    for (const name of names) {
      const expected = Object.hasOwn(parsed, name) ? parsed[name] : undefined
      if (JSON.stringify(members.value(name)) !== JSON.stringify(expected)) throw new Error(`another value of ${name}`)
      if (members.string(name) !== (typeof expected === 'string'
        ? expected
        : null)) throw new Error(`another string of ${name}`)
      if ((members.get(name) === undefined) !== !Object.hasOwn(parsed, name)) throw new Error(`${name} is found or not`)
    }
  }), { numRuns: 400 })
  t.end()
})

t.test('a member\'s offsets are those of its comma, its key and its value in the document', t => {
  fc.assert(fc.property(documentText, chunkSizes, (text, sizes) => {
    const bytes = Buffer.from(text)
    const parsed = JSON.parse(text) as Record<string, unknown>
    const members = read(text, Object.keys(parsed), sizes)
    if (bytes[members.openedAt] !== 0x7b ||
      bytes.subarray(0, members.openedAt).toString().trim() !== '') throw new Error('the brace is elsewhere')
    for (const [name, value] of Object.entries(parsed)) {
      const found = members.get(name)
      if (found === undefined) throw new Error(`${name} is missing`)
      const slice = bytes.subarray(found.valueStart, found.valueEnd).toString()
      if (slice !== found.text || slice.trim() !== slice ||
        JSON.stringify(JSON.parse(slice)) !== JSON.stringify(value)) throw new Error('not the value')
      const whole = bytes.subarray(found.keyStart, found.valueEnd).toString()
      const [[key] = ['']] = Object.entries(JSON.parse(`{${whole}}`) as object)
      if (key !== name) throw new Error('not the key')
      const lead = bytes.subarray(found.start, found.keyStart).toString().trim()
      if (lead !== (found.start === found.keyStart ? '' : ',')) throw new Error('not the comma')
    }
  }), { numRuns: 400 })
  t.end()
})

t.test('a value with bytes that are no UTF-8 ends where its bytes end', t => {
  const bytes = Buffer.concat([
    Buffer.from('{"user": "'), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from('"  ,"model":"m"}')
  ])
  const members = feed(new JsonMembers(new Set(['user', 'model'])), bytes, [])
  const user = members.get('user')
  t.equal(user?.valueStart, 9)
  t.equal(user?.valueEnd, 14)
  t.equal(members.value('user'), '��(')
  t.equal(members.string('model'), 'm')
  t.end()
})

t.test('of a key that stands twice the last one counts', t => {
  const members = read('{"a":1,"b":{"a":2},"\\u0061": 3 }', ['a'])
  t.equal(members.value('a'), 3)
  t.same(members.get('a'), { start: 18, keyStart: 19, valueStart: 29, valueEnd: 30, text: '3' })
  t.end()
})

t.test('a value longer than what is kept is found, skipped and not kept; the members behind it are read', t => {
  const text = `{"usage":"${'é\\"'.repeat(3000)}" ,"model":"gpt"}`
  const end = Buffer.byteLength(text) - ' ,"model":"gpt"}'.length
  for (const sizes of [[], Array<number>(3000).fill(3), [20, 5000]]) {
    const members = read(text, ['usage', 'model'], sizes, 1000)
    t.same(members.get('usage'), { start: 1, keyStart: 1, valueStart: 9, valueEnd: end, text: null })
    t.equal(members.value('usage'), undefined)
    t.equal(members.string('usage'), null)
    t.equal(members.string('model'), 'gpt')
  }
  t.end()
})

t.test('a value is kept up to the limit and not a byte beyond', t => {
  for (const sizes of [[], [12, 3]]) {
    t.equal(read('{"a":"12345678"}', ['a'], sizes, 10).value('a'), '12345678')
    t.equal(read('{"a":"123456789"}', ['a'], sizes, 10).value('a'), undefined)
  }
  t.end()
})

t.test('memory does not grow with what is not kept', t => {
  const members = new JsonMembers(new Set(['usage', 'model']))
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  members.feed(Buffer.from('{"usage":"'))
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 256; i++) members.feed(chunk)
  t.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024)
  members.feed(Buffer.from('","model":"m"}'))
  t.equal(members.string('model'), 'm')
  t.end()
})

t.test('a long run of backslashes is read in one pass', t => {
  // Looked at anew at every backslash, this would take longer than the test may.
  const run = Buffer.alloc(8 * 1024 * 1024, '\\')
  const members = feed(new JsonMembers(new Set(['model'])), Buffer.concat([
    Buffer.from('{"x":"'), run, Buffer.from('","model":"m"}')
  ]), [])
  t.equal(members.string('model'), 'm')
  t.end()
})

t.test('what is no object has no members', t => {
  for (const text of ['', ' ', 'null', '[{"model":"m"}]', '"{\\"model\\":1}"', 'model', 'x\ufeff{"model":"m"}']) {
    const members = read(text, ['model'])
    t.equal(members.get('model'), undefined)
    t.equal(members.complete, false)
  }
  t.end()
})

t.test('a document that is cut gives the members that were whole', t => {
  const text = '{"model":"m","usage":{"a":[1,2]},"stream":true}'
  for (let end = 0; end < text.length; end++) {
    const members = read(text.slice(0, end), ['model', 'usage', 'stream'])
    t.equal(members.complete, false)
    t.same(members.value('usage'), end > text.indexOf('},"stream') + 1 ? { a: [1, 2] } : undefined)
  }
  t.end()
})

t.test('no bytes make it throw', t => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'm', '1', ' '), maxLength: 60 })
      .map(text => Buffer.from(`{"m":${text}`)),
    fc.tuple(documentText, fc.nat()).map(([text, cut]) => Buffer.from(text).subarray(0, cut % (text.length + 1)))
  )
  fc.assert(fc.property(bytes, chunkSizes, (bytes, sizes) => {
    const members = feed(new JsonMembers(new Set(['m', 'model'])), Buffer.from(bytes), sizes)
    members.value('m')
    members.string('model')
    const found = members.get('m')
    if (found !== undefined &&
      (found.valueEnd < found.valueStart ||
        found.valueEnd > bytes.length)) throw new Error('offsets outside the document')
  }), { numRuns: 1000 })
  t.end()
})
