import fc from 'fast-check'
import t from 'tap'
import { JsonMembers } from '../../src/decoders/json-members.js'
import { inOneGo } from '../../src/lib/slices.js'
import { askForUsage } from '../../src/metering/stream-options.js'

const ask = (body: string | Buffer): Buffer | null => {
  const bytes = Buffer.from(body)
  const members = new JsonMembers(new Set(['stream', 'stream_options']))
  members.feed(bytes)
  return inOneGo(askForUsage(bytes, members))
}
const asked = (body: string): string | undefined => ask(body)?.toString()

const name = fc.string({ maxLength: 8 })
  .filter(key => key !== 'stream' && key !== 'stream_options' && key !== 'include_usage' && key !== '__proto__')
const others = fc.dictionary(name, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 })
const indent = fc.constantFrom(0, 2, '\t')
const shuffled = (object: object): fc.Arbitrary<object> => {
  const entries = Object.entries(object)
  return fc.shuffledSubarray(entries, { minLength: entries.length })
    .map(entries => Object.fromEntries(entries) as object)
}

t.test('a stream\'s body gets include_usage, and keeps every other member and byte', t => {
  const options = fc.oneof(fc.constant(undefined), fc.constant(null),
    others, others.chain(other =>
      fc.constantFrom(false, null).chain(included => shuffled({ ...other, include_usage: included }))))
  const bodies = fc.tuple(others, options, indent).chain(([other, options, indent]) =>
    shuffled({ ...other, stream: true, ...options === undefined ? {} : { stream_options: options } })
      .map(object => ({ object: object as Record<string, unknown>, text: JSON.stringify(object, null, indent) })))
  fc.assert(fc.property(bodies, ({ object, text }) => {
    const result = asked(text)
    if (result === undefined) throw new Error('nothing was asked')
    const { stream_options: expected, ...rest } = object
    const { stream_options: got, ...gotRest } = JSON.parse(result) as Record<string, unknown>
    if (JSON.stringify(gotRest) !== JSON.stringify(rest)) throw new Error('another member changed')
    const { include_usage: included, ...gotOptions } = got as Record<string, unknown>
    const { include_usage: before, ...otherOptions } = (expected ?? {}) as Record<string, unknown>
    if (included !== true) throw new Error('include_usage is not true')
    if (JSON.stringify(gotOptions) !== JSON.stringify(otherOptions)) throw new Error('another option changed')
    let head = 0
    while (head < text.length && text[head] === result[head]) head++
    let tail = 0
    while (tail < text.length - head && text.at(-1 - tail) === result.at(-1 - tail)) tail++
    const replaced = text.slice(head, text.length - tail)
    if (expected === undefined || (expected !== null && before === undefined)) {
      if (replaced !== '') throw new Error('more than an insertion')
    } else if (!/^(?:null|fals|nul)?$/.test(replaced)) throw new Error(`replaced ${replaced}`)
  }), { numRuns: 500 })
  t.end()
})

t.test('the bytes around what is put in stay as they were: numbers, white space, escapes, bytes that are no UTF-8', t => {
  const cases = [
    [' {"stream":true, "temperature":1.00e0,"x":"\\u00e9"}\n', ' {"stream_options":{"include_usage":true},"stream":true, "temperature":1.00e0,"x":"\\u00e9"}\n'],
    ['{ "stream" : true, "stream_options" : null }', '{ "stream" : true, "stream_options" : {"include_usage":true} }'],
    ['{"stream_options":{ },"stream":true}', '{"stream_options":{"include_usage":true },"stream":true}'],
    ['{"stream_options": { "include_obfuscation":false },"stream":true}', '{"stream_options": {"include_usage":true, "include_obfuscation":false },"stream":true}'],
    ['{"stream":true,"stream_options":{"a":1, "include_usage" : false }}', '{"stream":true,"stream_options":{"a":1, "include_usage" : true }}'],
    [
      '{"stream":true,"stream_options":{"include_usage":true,"include_usage":false}}',
      '{"stream":true,"stream_options":{"include_usage":true,"include_usage":true}}'
    ],
    ['{"str\\u0065am":true}', '{"stream_options":{"include_usage":true},"str\\u0065am":true}']
  ] as const
  for (const [body, expected] of cases) t.equal(asked(body), expected)

  const broken = Buffer.concat([Buffer.from('{"stream":true,"user":"'), Buffer.from([0xff, 0xfe]),
    Buffer.from('","stream_options":{"note":"'), Buffer.from([0xff, 0x80]), Buffer.from('","include_usage":false}}')])
  const result = ask(broken)
  t.equal(
    result?.toString('latin1'), broken.toString('latin1').replace('"include_usage":false', '"include_usage":true')
  )
  t.end()
})

t.test('nothing is asked where the caller asked, or where there is no stream to ask it of', t => {
  const none = [
    '{"stream":true,"stream_options":{"include_usage":true}}',
    '{"stream":true,"stream_options":{"include_obfuscation":false,"include_usage": true }}',
    '{"stream":true,"stream_options":{"include\\u005fusage":true}}',
    '{"stream":false}', '{"stream":null}', '{"stream":"true"}', '{"stream":1}', '{}', '{"stream_options":{}}',
    '[{"stream":true}]', '"stream"', 'null', '', '{"stream":true'
  ]
  for (const body of none) t.equal(ask(body), null, body)
  t.end()
})

t.test('a caller\'s own mistake in stream_options is left for the upstream to refuse', t => {
  for (const options of [
    '"yes"',
    '[]',
    '1',
    'true',
    '{"include_usage":"yes"}',
    '{"include_usage":1}',
    '{"include_usage":{}}',
    `{"pad":"${'x'.repeat(70_000)}"}`
  ]) {
    t.equal(ask(`{"stream":true,"stream_options":${options}}`), null)
  }
  t.end()
})
