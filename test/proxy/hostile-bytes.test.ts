import t from 'tap'
import { endpointOf } from '../../src/metering/endpoints.js'
import { countable } from '../../src/metering/billable-text.js'
import { JsonMembers } from '../../src/decoders/json-members.js'
import type { CapturedBody } from '../../src/capture/captured-body.js'
import { storedText } from '../../src/capture/stored-text.js'
import { parsePromptHeaders } from '../../src/proxy/prompt-headers.js'
import { redactKeys } from '../../src/redaction/redact.js'
import { inOneGo } from '../../src/lib/slices.js'
import { StreamTee } from '../../src/metering/stream-tee.js'
import { StreamAccumulator } from '../../src/capture/stream-accumulator.js'
import { askForUsage } from '../../src/metering/stream-options.js'
import { ordinaryTraces } from '../../src/metering/usage-trace.js'
import { countTexts } from '../../src/metering/token-count.js'
import { shownObject, storedMetadata } from '../../src/lib/stored-object.js'
import { quickestMs } from '../helpers/cpu-time.js'

// What a caller or an upstream repeats costs each reader linear time: twice as much of it takes about twice as long. A
// quadratic reader takes four times as long, and seconds.

const LIMIT_BYTES = 262_144
const CHUNK_BYTES = 16_384
/** Of the time for twice as much: linear is 2, quadratic 4. Below the floor the clock says nothing. */
const MOST_TIMES = 3.5
const FLOOR_MS = 60
const TRIES = 6
const MOST_MS = 8000

const units = [
  '[elided ', '[elided image/png, 1 bytes', 'data:', 'data:a/b;base64,', 'data:a/b,%25', '"data:a/b,\\"',
  'data:image\\/png;base64,ab\\/', ';a=b', '"', '\\', '\\"', '\\\\"', '\\/', '{"a":', '[', ']', '}{', '[],', '\\u00',
  '\\u0000', '\\ud800', 'sk-', 'sk-a ', 'pm_', 'sk-aaaaaaaaaaaaaaaaaaaaaaaa', '%73k-', ' ', '\t', '\n', '\r', '\r\n',
  '\r\r\n', '\0', '\ufeff', 'data: {', 'data: {\n', 'data:\n\n', 'data: {}\n\n', 'data\n', ':', ': \n', 'event: a\n',
  '%25', '%', '%2', 'a', '=', '/', 'AAAA', 'AAAA\\n', '"b64_json":"', '{"b64_json":"AAAA"},', '"file_data":"',
  'input_audio"', '"audio":{', '_generation_call"', '"result":"', 'output_format', '"usage":null,', '"usage":',
  '"usage" : ', ',"usage":null', 'data: {"usage":1,"usage":null}\n\n', '"error":', '[DONE]', '"response.completed"',
  '… [truncated: 1 of 9 bytes kept]', '日本', 'é\ud83d',
  'data: {"choices":[{"index":1e9,"delta":{"content":"a"}}]}\n\n',
  'data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"a"}}]}}]}\n\n',
  'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}\n\n',
  'data: {"type":"response.x","item":{},"output_index":{"toString":1}}\n\n'
]

const ITEM_ADDED = 'data: {"type":"response.output_item.added","output_index":0,"item":{"content":[{}]}}\n\n'

/** The unit again and again, alone, in a message, in an event, and at the end of a value that it may or may not end. */
const frames: ReadonlyArray<readonly [name: string, frame: (repeated: string) => string]> = [
  ['alone', repeated => repeated],
  [
    'in a message',
    repeated => `{"stream":true,"stream_options":null,"messages":[{"role":"user","content":"${repeated}"}],"usage":null}`
  ],
  [
    'in an event',
    repeated => `data: {"usage":null,"choices":[{"delta":{"content":"${repeated}"}}]}\n\ndata: [DONE]\n\n`
  ],
  ['behind events', repeated => `data: {"choices":[]}\n\n${ITEM_ADDED}${repeated}`]
]

const chunksOf = (body: Buffer): Buffer[] => {
  const chunks: Buffer[] = []
  for (let at = 0; at < body.length; at += CHUNK_BYTES) chunks.push(body.subarray(at, at + CHUNK_BYTES))
  return chunks
}

function tee (mode: 'watch' | 'strip', body: Buffer): void {
  const reader = new StreamTee(mode)
  for (const chunk of chunksOf(body)) reader.push(chunk)
  reader.finish()
  reader.facts()
}

function askedFor (body: Buffer): void {
  const members = new JsonMembers(new Set(['stream', 'stream_options', 'metadata']))
  for (const chunk of chunksOf(body)) members.feed(chunk)
  members.value('metadata')
  inOneGo(askForUsage(body, members))
}

function assembled (body: Buffer): void {
  const assembly = new StreamAccumulator(LIMIT_BYTES, () => CHUNK_BYTES)
  for (const chunk of chunksOf(body)) assembly.push(chunk)
  assembly.toText()
}

/** A refusal is an answer too. */
function refused (name: string, body: Buffer): void {
  try {
    parsePromptHeaders([name, body.toString('latin1')], null)
  } catch (error) {
    if (!(error instanceof Error) || error.name === 'RangeError') throw error
  }
}

const kept = (content: Buffer): CapturedBody => ({ content, sizeBytes: content.length })

const readers: ReadonlyArray<readonly [name: string, read: (body: Buffer) => unknown]> = [
  ['request members and the question for usage', askedFor],
  ['stored text', body => storedText(body, LIMIT_BYTES)],
  ['stored text without a limit', body => storedText(body, 1 << 30)],
  ['redaction', body => redactKeys(body.toString())],
  ['watched stream', body => tee('watch', body)],
  ['stripped stream', body => tee('strip', body)],
  ['a chunk of ordinary events', body => ordinaryTraces(body.toString('latin1'))],
  ['assembled stream', assembled],
  ['estimate of a chat', body => inOneGo(countable('chat/completions', kept(body), kept(body)))],
  ['estimate of an embedding', body => inOneGo(countable('embeddings', kept(body), null))],
  ['token samples', body => countTexts(text => text.length, [body.toString()])],
  ['metadata to store', body => storedMetadata(body.toString())],
  ['metadata to show', body => shownObject(body.toString())],
  ['endpoint of a path', body => endpointOf('POST', `/${body.toString('latin1')}`)],
  ...['x-prompt-type', 'x-prompt-description', 'x-prompt-user', 'x-prompt-metadata']
    .map(name => [name, (body: Buffer) => refused(name, body)] as const)
]

const timed = (run: (body: Buffer) => unknown, body: Buffer): number => quickestMs(() => run(body), 1)

/**
 * Null where it is linear; else what it took. What else the machine does makes it slower, never faster: the best
 * counts.
 */
function superlinear (run: (body: Buffer) => unknown, once: Buffer, twice: Buffer): string | null {
  let [shortMs, longMs] = [timed(run, once), timed(run, twice)]
  for (let tries = 0; longMs > FLOOR_MS && longMs > shortMs * MOST_TIMES; tries++) {
    if (tries === TRIES || longMs > MOST_MS) return `${shortMs.toFixed()} ms, twice as much ${longMs.toFixed()} ms`
    ;[shortMs, longMs] = [timed(run, once), Math.min(longMs, timed(run, twice))]
  }
  return longMs > MOST_MS ? `${longMs.toFixed()} ms` : null
}

for (const [name, run] of readers) {
  t.test(`${name}: linear, whatever is repeated`, t => {
    const failures: string[] = []
    for (const unit of units) {
      const repeated = unit.repeat(Math.ceil(2 * LIMIT_BYTES / Buffer.byteLength(unit)))
      for (const [where, frame] of frames) {
        const half = Buffer.from(frame(repeated.slice(0, repeated.length / 2)))
        const failure = superlinear(run, half, Buffer.from(frame(repeated)))
        if (failure !== null) failures.push(`${JSON.stringify(unit)} ${where}: ${failure}`)
      }
    }
    t.same(failures, [])
    t.end()
  })
}

t.test('stripped stream: linear where an object that never ends spans very many lines', t => {
  const lines = (bytes: number): Buffer => Buffer.from('data: {"a":1,\n' + 'data:\n'.repeat(bytes / 6))
  t.equal(superlinear(body => tee('strip', body), lines(1_500_000), lines(3_000_000)), null)
  t.end()
})

t.test('no event makes the assembly of a stream throw, however it is nested and whatever stands where', t => {
  const nested = (levels: number): string => `${'['.repeat(levels)}1${']'.repeat(levels)}`
  const values = [
    ...[10, 400, 499, 501, 3000, 9000, 60_000].map(nested), `[${'0,'.repeat(120_000)}0]`, '{"toString":1,"valueOf":2}',
    '{"__proto__":{}}', 'null', '1e999', '"\\ud800"'
  ]
  const tool = (value: string): string =>
    `{"index":${value},"id":${value},"function":{"name":"f","arguments":${value}}}`
  const events: ReadonlyArray<(value: string) => string> = [
    value => `{"choices":[{"index":0,"delta":{"content":${value}}}]}`,
    value => `{"choices":[{"index":${value},"delta":{"tool_calls":[${tool(value)}]}}]}`,
    value => `{"choices":[{"index":0,"logprobs":{"content":${value}},"finish_reason":${value}}],"usage":${value}}`,
    value => `{"choices":${value}}`,
    value => `{"type":"response.created","response":{"output":${value}}}`,
    value => `{"type":"response.output_item.added","output_index":${value},"item":{"content":${value}}}`,
    value => `{"type":"response.output_text.delta","output_index":${value},"content_index":${value},"delta":"a"}`,
    value => `{"type":"response.content_part.added","output_index":0,"part":{"a":${value}}}`,
    value => `{"error":${value}}`,
    value => value
  ]
  for (const value of values) {
    for (const event of events) {
      const assembly = new StreamAccumulator(LIMIT_BYTES, () => CHUNK_BYTES)
      for (let again = 0; again < 3; again++) {
        for (const other of [event, ...events]) assembly.push(Buffer.from(`data: ${other(value)}\n\n`))
      }
      t.doesNotThrow(() => JSON.parse(assembly.toText() ?? 'null') as unknown, value.slice(0, 20))
    }
  }
  t.end()
})
