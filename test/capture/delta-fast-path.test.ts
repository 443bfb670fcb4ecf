import fc from 'fast-check'
import t from 'tap'
import { StreamAccumulator } from '../../src/capture/stream-accumulator.js'
import { DeltaFastPath } from '../../src/capture/delta-fast-path.js'

type Json = Record<string, unknown>

const chunkOf = (content: string, more: Json = {}, delta: Json = {}): Json =>
  ({
    id: 'c1',
    object: 'chat.completion.chunk',
    model: 'm',
    choices: [{ index: 0, delta: { ...delta, content }, logprobs: null, finish_reason: null }],
    ...more
  })

function assembled (events: readonly string[], maxBytes = 1 << 20): Json | null {
  const assembly = new StreamAccumulator(maxBytes, () => 65_536)
  for (const event of events) assembly.push(Buffer.from(`data: ${event}\n\n`))
  const text = assembly.toText()
  return text === null ? null : JSON.parse(text) as Json
}

/** The same events, of which no two look alike: each has to be parsed. */
const unlike = (events: readonly string[]): string[] =>
  events.map((event, i) => event.replace('{', '{' + ' '.repeat(i + 1)))

/** A member that there is no room for is counted as dropped once, not for every chunk that brings it again. */
const marked = (object: Json | null): Json | null =>
  object?.truncated_bytes === undefined ? object : { ...object, truncated_bytes: true }

t.test('what a stream adds up to does not depend on whether its chunks look alike', t => {
  const content = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom(
      '',
      ' token',
      '"',
      '\\',
      '\n',
      '\u0000',
      'é😀',
      '\ud83d',
      '\ude00',
      '"},"logprobs":null',
      '","obfuscation":"',
      '\\u0041',
      '\u2028',
      '\u007f'
    ))
  const event = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(content, fc.string({ maxLength: 6 }))
        .map(([content, obfuscation]) => chunkOf(content, { obfuscation }))
    },
    { weight: 3, arbitrary: content.map(content => chunkOf(content)) },
    content.map(content => chunkOf(content, { system_fingerprint: 'other' })),
    content.map(content => chunkOf(content, {}, { refusal: 'no', content: 'a' })),
    content.map(content => ({ ...chunkOf(content), choices: [{ index: 1, delta: { content }, finish_reason: null }] })),
    fc.constant({ ...chunkOf(''), choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }] }))
  fc.assert(fc.property(fc.array(event, { maxLength: 30 }), fc.constantFrom(60, 300, 1 << 20), (chunks, maxBytes) => {
    const events = chunks.map(chunk => JSON.stringify(chunk))
    t.strictSame(marked(assembled(events, maxBytes)), marked(assembled(unlike(events), maxBytes)))
  }), { numRuns: 300 })
  t.end()
})

t.test('only the same chunk with another text and obfuscation is taken for one', t => {
  const text = JSON.stringify(chunkOf(' one', { obfuscation: 'abc' }))
  const repeated = DeltaFastPath.of(text, JSON.parse(text) as Json)
  t.equal(repeated?.textOf(text), ' one')
  t.equal(repeated?.textOf(JSON.stringify(chunkOf('a "quoted"\nline é', { obfuscation: '' }))), 'a "quoted"\nline é')
  for (const other of [
    chunkOf(' two'), chunkOf(' two', { obfuscation: 'a"b' }), chunkOf(' two', {
      obfuscation: 'abc', usage: {}
    }), chunkOf(' two', {
      model: 'n', obfuscation: 'abc'
    }), {}
  ]) t.equal(repeated?.textOf(JSON.stringify(other)), null, JSON.stringify(other))
  t.equal(repeated?.textOf(text.replace(' one', ' \\')), null, 'a text that is no JSON string')
  t.equal(repeated?.textOf(text.replace(' one', ' \t')), null, 'a control character that has to be escaped')
  t.equal(repeated?.textOf(text.slice(0, 100)), null, 'a part of one')
  t.end()
})

t.test('a chunk that brings anything besides text is none that others repeat', t => {
  const first = (chunk: Json): DeltaFastPath | null => DeltaFastPath.of(JSON.stringify(chunk), chunk)
  t.not(first(chunkOf('a')), null)
  t.equal(first(chunkOf('', {}, { role: 'assistant' })), null)
  t.equal(first(chunkOf('a', { content: 'b' })), null, 'two members of that name')
  t.equal(first({ ...chunkOf('a'), choices: [] }), null)
  t.equal(first({ choices: [{ index: 0, delta: { content: 'a' } }, { index: 1, delta: { content: 'b' } }] }), null)
  t.equal(first({ choices: [{ index: 0, delta: { content: null } }] }), null)
  t.end()
})

t.test('the events of a response are read only if the one that ends it does not come', t => {
  const started = [
    { type: 'response.created', response: { id: 'r', object: 'response', status: 'in_progress', output: [] } },
    { type: 'response.output_item.added', output_index: 0, item: { id: 'm', type: 'message', content: [] } },
    { type: 'response.content_part.added', output_index: 0, content_index: 0, part: { type: 'output_text', text: '' } },
    ...['a', 'b', 'c'].map(delta => ({ type: 'response.output_text.delta', output_index: 0, content_index: 0, delta }))
  ]
  const completed = {
    type: 'response.completed',
    response: { id: 'r', object: 'response', status: 'completed', output: [{ id: 'm', content: [{ text: 'abc' }] }] }
  }
  const texts = (...events: Json[]): string[] => events.map(event => JSON.stringify(event))
  t.same(assembled(texts(...started)), {
    id: 'r',
    object: 'response',
    status: 'in_progress',
    output: [{ id: 'm', type: 'message', content: [{ type: 'output_text', text: 'abc' }] }]
  })
  t.same(assembled(texts(...started, completed)), completed.response)
  t.same(
    assembled(texts(...started, { type: 'response.output_text.delta', delta: 'x'.repeat(300_000) }, completed)),
    completed.response,
    'more of them than may wait'
  )
  t.end()
})
