import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { StreamAccumulator } from '../../src/capture/stream-accumulator.js'

const big = 1 << 20

type Json = Record<string, unknown>

function assemble (stream: string | Uint8Array, maxBytes = big, cuts: number[] = []): Json | null {
  const bytes = Buffer.from(stream)
  const assembly = new StreamAccumulator(maxBytes, () => 65_536)
  const borders = [...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  let from = 0
  for (const to of borders) {
    // The chunk's memory is overwritten after the call, as its owner may do.
    const chunk = Uint8Array.prototype.slice.call(bytes, from, to)
    assembly.push(chunk)
    chunk.fill(0x21)
    from = to
  }
  const text = assembly.toText()
  return text === null ? null : JSON.parse(text) as Json
}

function sse (...events: unknown[]): string {
  return events.map(event => `data: ${JSON.stringify(event)}\n\n`).join('')
}

function chunk (choices: unknown[], more: Json = {}): Json {
  return { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', ...more, choices }
}

function delta (delta: Json, finishReason: string | null = null, index = 0): Json {
  return chunk([{ index, delta, logprobs: null, finish_reason: finishReason }])
}

t.test('a chat stream becomes what the unstreamed call returns', t => {
  const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }
  const stream = sse(
    chunk([{ index: 0, delta: { role: 'assistant', content: '', refusal: null }, logprobs: null, finish_reason: null }], { usage: null, obfuscation: 'x' }),
    delta({ content: 'Hé' }), delta({ content: 'llo\n' }), delta({}, 'stop'),
    chunk([], { usage, service_tier: 'default', system_fingerprint: 'fp' })) + 'data: [DONE]\n\n'
  const expected = {
    id: 'c1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hé' + 'llo\n', refusal: null }, logprobs: null, finish_reason: 'stop' }],
    usage,
    service_tier: 'default',
    system_fingerprint: 'fp'
  }
  const assembly = new StreamAccumulator(big, () => 65_536)
  assembly.push(Buffer.from(stream))
  t.equal(assembly.toText(), JSON.stringify(expected))
  t.equal(assembly.toText(), JSON.stringify(expected), 'asked again')
  t.end()
})

t.test('tool calls are merged by index, and by id where a server leaves the index out', t => {
  const call = (id: string, name: string, args: string): Json => ({ id, type: 'function', function: { name, arguments: args } })
  const expected = [call('a', 'f', '{"x":1}'), call('b', 'g', '{}')]
  const indexed = assemble(sse(
    delta({ role: 'assistant', content: null, tool_calls: [{ index: 1, ...call('b', 'g', '') }, { index: 0, ...call('a', 'f', '') }] }),
    delta({ tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] }),
    delta({ tool_calls: [{ index: 1, function: { arguments: '{}' } }] }),
    delta({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }), delta({}, 'tool_calls')))
  t.strictSame(indexed?.choices, [{ index: 0, message: { role: 'assistant', content: null, tool_calls: expected }, logprobs: null, finish_reason: 'tool_calls' }])
  const unindexed = assemble(sse(
    delta({ tool_calls: [call('a', 'f', '{"x"')] }), delta({ tool_calls: [{ function: { arguments: ':1}' } }] }),
    delta({ tool_calls: [call('b', 'g', '{}')] })))
  t.strictSame(unindexed?.choices, [{ index: 0, message: { role: 'assistant', content: null, tool_calls: expected }, logprobs: null, finish_reason: null }])
  t.end()
})

t.test('choices are kept apart, and log probabilities joined', t => {
  const at = (index: number, content: string, token: string): Json => chunk([{ index, delta: { content }, logprobs: { content: [{ token }], refusal: null }, finish_reason: null }])
  const object = assemble(sse(at(1, 'b', 'B1'), at(0, 'a', 'A1'), at(1, 'bb', 'B2'), delta({}, 'stop', 1)))
  t.strictSame(object?.choices, [
    { index: 0, message: { role: 'assistant', content: 'a' }, logprobs: { content: [{ token: 'A1' }], refusal: null }, finish_reason: null },
    { index: 1, message: { role: 'assistant', content: 'bbb' }, logprobs: { content: [{ token: 'B1' }, { token: 'B2' }], refusal: null }, finish_reason: 'stop' }])
  t.end()
})

t.test('members that OpenAI does not have are kept: text joined, lists joined, else the last', t => {
  const object = assemble('data: {"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":"a","score":1,"__proto__":{"x":1}}}]}\n\n' +
    sse(delta({ role: 'assistant', reasoning_content: 'b', score: 2, annotations: [1] }), delta({ role: 'assistant', content: 'c', annotations: [2], function_call: { name: 'f', arguments: '1' } }),
      delta({ function_call: { arguments: '2' } })))
  const [choice] = object?.choices as [{ message: Json }]
  t.equal(JSON.stringify(choice.message), '{"role":"assistant","content":"c","reasoning_content":"ab","score":2,"__proto__":{"x":1},"annotations":[1,2],"function_call":{"name":"f","arguments":"12"}}')
  t.end()
})

t.test('streamed audio leaves its size and hash, whatever its length, and its transcript', t => {
  const pcm = Buffer.alloc(50_001, 'pcm')
  const parts = Array.from({ length: 51 }, (_, i) => delta({ audio: { data: pcm.subarray(i * 1000, (i + 1) * 1000).toString('base64') } }))
  const object = assemble(sse(delta({ role: 'assistant', audio: { id: 'audio_1', transcript: 'He' } }), ...parts, delta({ audio: { transcript: 'llo' } }), delta({ audio: { expires_at: 5 } })), 5000)
  const [choice] = object?.choices as [{ message: Json }]
  const data = `[elided audio/pcm16, 50001 bytes, sha256:${createHash('sha256').update(pcm).digest('hex')}]`
  t.strictSame(choice.message.audio, { id: 'audio_1', transcript: 'Hello', data, expires_at: 5 })
  t.end()
})

t.test('a text completion becomes what the unstreamed call returns', t => {
  const part = (text: string, finishReason: string | null): Json => ({
    id: 'cmpl', object: 'text_completion', created: 1, model: 'm', choices: [{ text, index: 0, logprobs: { tokens: [text], text_offset: [0] }, finish_reason: finishReason }]
  })
  t.strictSame(assemble(sse(part('a', null), part('b', null), part('', 'length'))), {
    id: 'cmpl', object: 'text_completion', created: 1, model: 'm', choices: [{ index: 0, text: 'ab', logprobs: { tokens: ['a', 'b', ''], text_offset: [0, 0, 0] }, finish_reason: 'length' }]
  })
  t.end()
})

const responseEvents: Json[] = [
  { type: 'response.created', response: { id: 'r', object: 'response', status: 'in_progress', output: [], usage: null } },
  { type: 'response.output_item.added', output_index: 0, item: { id: 'rs', type: 'reasoning', summary: [] } },
  { type: 'response.reasoning_summary_part.added', output_index: 0, summary_index: 0, part: { type: 'summary_text', text: '' } },
  { type: 'response.reasoning_summary_text.delta', output_index: 0, summary_index: 0, delta: 'So' },
  { type: 'response.output_item.added', output_index: 1, item: { id: 'fc', type: 'function_call', arguments: '' } },
  { type: 'response.function_call_arguments.delta', output_index: 1, delta: '{' },
  { type: 'response.function_call_arguments.delta', output_index: 1, delta: '}' },
  { type: 'response.output_item.done', output_index: 1, item: { id: 'fc', type: 'function_call', arguments: '{}', status: 'completed' } },
  { type: 'response.output_item.added', output_index: 2, item: { id: 'msg', type: 'message', content: [] } },
  { type: 'response.content_part.added', output_index: 2, content_index: 0, part: { type: 'output_text', text: '' } },
  { type: 'response.output_text.delta', output_index: 2, content_index: 0, delta: 'Hel' },
  { type: 'response.output_text.delta', output_index: 2, content_index: 0, delta: 'lo' }
]

t.test('a response is the object of the event that ends it', t => {
  for (const status of ['completed', 'failed', 'incomplete']) {
    const response = { id: 'r', object: 'response', status, output: ['whole'], usage: { total_tokens: 3 } }
    t.strictSame(assemble(sse(...responseEvents, { type: `response.${status}`, response })), response, status)
  }
  t.end()
})

t.test('a response cut in the middle is what was seen of it', t => {
  t.strictSame(assemble(sse(...responseEvents) + 'event: response.output_text.delta\ndata: {"type":"response.outp'), {
    id: 'r',
    object: 'response',
    status: 'in_progress',
    output: [
      { id: 'rs', type: 'reasoning', summary: [{ type: 'summary_text', text: 'So' }] },
      { id: 'fc', type: 'function_call', arguments: '{}', status: 'completed' },
      { id: 'msg', type: 'message', content: [{ type: 'output_text', text: 'Hello' }] }
    ],
    usage: null
  })
  t.end()
})

t.test('an error event is the error of what came before it', t => {
  const error = { message: 'busy', type: 'server_error', param: null, code: null }
  t.strictSame(assemble(sse({ error })), { error })
  t.match(assemble(sse(delta({ content: 'a' }), { error })), { object: 'chat.completion', choices: [{ message: { content: 'a' } }], error })
  t.match(assemble(sse(...responseEvents, { type: 'error', code: 'c', message: 'm' })), { object: 'response', error: { type: 'error', code: 'c', message: 'm' } })
  t.end()
})

t.test('a stream of unknown events is their list', t => {
  t.strictSame(assemble('event: thread.created\ndata: {"id":1.0}\n\ndata: plain text\n\ndata: 5\n\nevent: done\ndata: [DONE]\n\n'),
    { object: 'stream', events: [{ event: 'thread.created', data: { id: 1 } }, 'plain text', 5] })
  t.end()
})

t.test('nothing usable is null', t => {
  for (const stream of ['', '\n\n', ': comment\n\n', 'data: [DONE]\n\n', 'event: ping\n\n', 'data:\n\n', 'id: 1\nretry: 5\n\n']) t.equal(assemble(stream), null, JSON.stringify(stream))
  t.end()
})

t.test('the grammar of server-sent events is kept to, wherever chunks and batches of chunks end', t => {
  const expected = JSON.stringify({ object: 'stream', events: ['a\nb', { event: 'x', data: { k: 1 } }, ' two', 'ünï€😀', 'last'] })
  const lines = [': comment', 'data: a', 'id: 7', 'data:b', 'unknown: z', '', 'event: x', 'data: {"k":', 'data: 1}', '', '', 'event: dropped', '',
    'data:  two', '', 'data: ünï€😀', '', 'data: last']
  const comes = (bytes: Buffer, cuts: number[]): boolean => JSON.stringify(assemble(bytes, big, cuts)) === expected
  for (const end of ['\n', '\r', '\r\n']) {
    const text = lines.join(end)
    const bytes = Buffer.from(`\ufeff${text}`)
    t.ok(comes(bytes, []), 'whole')
    t.ok(comes(bytes, [...bytes.keys()]), 'byte by byte')
    t.ok(comes(Buffer.from(text + end + end), []), 'without a byte order mark, with a final blank line')
    // A comment in front moves the text over the place where 64 KiB have gathered and are read.
    const places = Array.from({ length: bytes.length + 4 }, (_, before) => {
      const comment = `\ufeff:${'x'.repeat(65_536 - 4 - end.length - before)}${end}`
      return comes(Buffer.from(comment + text), [1, 65_536])
    })
    t.ok(places.every(Boolean), 'read in two batches')
  }
  t.end()
})

t.test('data lines without blank lines between them are events, an object over several lines is one', t => {
  const chunk = (content: string): object => ({ object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta: { content } }] })
  const lines = [JSON.stringify(chunk('a')), ...JSON.stringify(chunk('b'), null, 2).split('\n'), JSON.stringify(chunk('c')), '[DONE]']
  const assembly = new StreamAccumulator(10_000, () => 1000)
  assembly.push(Buffer.from(lines.map(line => `data: ${line}\n`).join('')))
  t.match(JSON.parse(assembly.toText() ?? ''), { model: 'm', choices: [{ message: { content: 'abc' } }] })
  t.end()
})

t.test('a long stream stays within the limit, keeps its beginning and its end, and says what is missing', t => {
  const assembly = new StreamAccumulator(100_000, () => 65_536)
  const word = 'wörd "quoted"\n'
  const count = 40_000
  assembly.push(Buffer.from(sse(delta({ role: 'assistant', content: '' }))))
  const part = Buffer.from(sse(delta({ content: word })))
  for (let i = 0; i < count; i++) assembly.push(part)
  assembly.push(Buffer.from(sse(delta({}, 'stop'), chunk([], { usage: { total_tokens: 9 } }))))
  const text = assembly.toText() ?? ''
  t.ok(part.length * count > 5_000_000, 'five megabytes')
  t.ok(Buffer.byteLength(text) <= 100_000, 'bounded')
  const object = JSON.parse(text) as Json & { choices: [{ message: { content: string }, finish_reason: string }], truncated_bytes: number }
  const { message: { content }, finish_reason: finishReason } = object.choices[0]
  t.ok(content.length > 60_000 && word.repeat(count).startsWith(content), 'the beginning, without a gap')
  t.equal(Buffer.byteLength(JSON.stringify(content)) - 2 + object.truncated_bytes, (Buffer.byteLength(JSON.stringify(word)) - 2) * count)
  t.equal(finishReason, 'stop')
  t.strictSame(object.usage, { total_tokens: 9 })
  t.end()
})

t.test('an event that is too long is dropped, and the next one read', t => {
  const long = 'x'.repeat(300_000)
  const streams = [sse({ long }), `data: ${'x\ndata: '.repeat(40_000)}\n\n`, `: ${long}\n\n`]
  for (const stream of streams) {
    for (const step of [1000, 65_536, 1 << 20]) {
      const bytes = Buffer.from(sse({ a: 1 }) + stream + sse({ b: 2 }))
      const cuts = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => i * step)
      const object = assemble(bytes, 70_000, cuts)
      t.strictSame(object?.events, [{ a: 1 }, { b: 2 }])
    }
  }
  t.match(assemble(sse({ long }), 1000), { truncated_bytes: Number })
  t.end()
})

t.test('choices, tool calls and unknown events past the limit are dropped too', t => {
  const size = (events: Json[]): number => Buffer.byteLength(JSON.stringify(assemble(sse(...events), 4000)))
  const numbers = Array.from({ length: 2000 }, (_, i) => i)
  t.ok(size(numbers.map(i => delta({ content: 'a' }, null, i))) <= 4000, 'choices')
  t.ok(size(numbers.map(i => delta({ tool_calls: [{ index: i, id: `call_${i}`, function: { name: 'f', arguments: '{}' } }] }))) <= 4000, 'tool calls')
  t.ok(size(numbers.map(i => delta({ [`key${i}`]: i }))) <= 4000, 'members')
  t.ok(size(numbers.map(i => ({ i }))) <= 4000, 'events')
  t.ok(size([...responseEvents, ...numbers.map(i => ({ type: 'response.output_item.added', output_index: i + 9, item: { i } }))]) <= 4000, 'output items')
  t.end()
})

const corpus = new URL('../../../shared/corpus/openai-exchanges.jsonl', import.meta.url)

t.test('every recorded stream comes out the same however it is cut, and holds what its chunks held', { skip: existsSync(corpus) ? false : 'no ../shared/corpus' }, t => {
  const exchanges = readFileSync(corpus, 'utf8').trimEnd().split('\n').map(line => JSON.parse(line) as { id: string, request: { path: string }, response: { body: string | null } })
  const kinds = new Map<string, number>()
  for (const { id, response: { body } } of exchanges) {
    if (body === null || !/^(?:data|event): /.test(body)) continue
    const whole = assemble(body)
    const kind = whole?.object as string
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    fc.assert(fc.property(fc.array(fc.nat(body.length), { maxLength: 30 }), cuts => JSON.stringify(assemble(body, big, cuts)) === JSON.stringify(whole)), { numRuns: 5 })
    const events = [...body.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json ?? '') as Json)
    if (kind === 'response') t.strictSame(whole, events.at(-1)?.response, id)
    else if (kind === 'stream') t.strictSame((whole?.events as Array<{ data: Json }>).map(({ data }) => data), events, id)
    else t.strictSame(summary(whole?.choices as Choice[], 'message'), summary(events.flatMap(event => event.choices as Choice[]), 'delta'), id)
  }
  t.strictSame([...kinds].sort(), [['chat.completion', 69], ['response', 29], ['stream', 6], ['text_completion', 15]])
  t.end()
})

interface Choice {
  index: number
  text?: string
  finish_reason: string | null
  [message: string]: unknown
}

/** Of each choice: its text, its tool calls' ids, names and arguments run together, and why it ended. */
function summary (choices: Choice[], messageKey: 'message' | 'delta'): unknown {
  const byIndex: Record<number, { text: string, tools: Record<number, string>, end: string | null }> = {}
  for (const choice of choices) {
    const sum = byIndex[choice.index] ??= { text: '', tools: {}, end: null }
    const message = (choice[messageKey] ?? {}) as { content?: string | null, tool_calls?: Array<{ index?: number, id?: string, function: { name?: string, arguments: string } }> }
    sum.text += (choice.text ?? '') + (message.content ?? '')
    message.tool_calls?.forEach((call, i) => {
      sum.tools[call.index ?? i] = (sum.tools[call.index ?? i] ?? '') + (call.id ?? '') + (call.function.name ?? '') + call.function.arguments
    })
    sum.end = choice.finish_reason ?? sum.end
  }
  return byIndex
}
