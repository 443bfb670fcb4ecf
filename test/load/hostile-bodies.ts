// Bodies that a caller or an upstream may choose to make a reader slow: one thing again and again, up to the limit.

/** Just below `MAX_BODY_BYTES`. */
export const BODY_BYTES = 60_000_000

/**
 * A stream of short events: more than is stored of it. A longer one takes longer, and its turns do not: each reads so
 * many bytes of it. (The lines of one event are read together, at its end.)
 */
const LINES_BYTES = 24_000_000

/** A longer event is not read for what is stored (`StreamAccumulator`). */
const EVENT_BYTES = 8_300_000

export type Bodies = Readonly<Record<string, () => Buffer>>

export const filled = (before: string, unit: string, after: string, sizeBytes = BODY_BYTES): Buffer =>
  Buffer.concat([
    Buffer.from(before), Buffer.alloc(sizeBytes - sizeBytes % Buffer.byteLength(unit), unit), Buffer.from(after)
  ])

const question = (content: string): string => `{"model":"gpt-4o-mini","messages":[{"role":"user","content":${content}`
const asked = (unit: string, before = '', sizeBytes = BODY_BYTES): Buffer =>
  filled(question(`"${before}`), unit, '"}]}', sizeBytes)
const image = (unit: string): Buffer =>
  filled(question('[{"type":"image_url","image_url":{"url":"data:image\\/png;base64,'), unit, '"}}]}]}')
const messages = (sizeBytes: number): Buffer =>
  filled('{"messages":[', '{"role":"user","content":"a"},', '{}],"model":"gpt-4o-mini"}', sizeBytes)

/** What stands in a text again and again, whosever it is. */
export const repeated: Readonly<Record<string, string>> = {
  words: 'All work and no play. ',
  marks: '[elided ',
  'data: URLs': 'data:a/b;base64,',
  'key markers': 'sk-',
  'gateway key markers': 'pm_',
  'cut keys': 'sk-a ',
  'key-like words': 'sk-aaaaaaaaaaaaaaaaaaaaaaaa ',
  'keys that look random': 'sk-9aB8cD7eF6gH5iJ4kL3mN2 ',
  'percent-encoded key markers': '%73%6b-',
  'key markers in unicode escapes': '\\u0073k-',
  'nested percent escapes': '%25',
  'unicode escapes': '\\u0041',
  'surrogate escapes': '\\ud83d\\ude00',
  'escaped quotes': '\\"',
  'escaped backslashes': '\\\\',
  'character references': '&#115;',
  'open references': '&#00000',
  'characters of three bytes': '日本'
}

const eachRepeated = (body: (unit: string) => Buffer): Bodies =>
  Object.fromEntries(Object.entries(repeated).map(([name, unit]) => [`a text of ${name}`, () => body(unit)]))

export const requests: Bodies = {
  ...eachRepeated(asked),
  base64: () => image('iVBORw0KGgo/'),
  'base64 with escaped slashes': () => image('abc\\/'),
  'base64 with unicode escapes': () => image('abc\\u002f'),
  'base64 within JSON within JSON': () => image('abc\\\\\\/'),
  'base64 in lines': () => image(`${'A'.repeat(76)}\\n`),
  'a percent-encoded URL': () => asked('%41', 'data:image/svg+xml,'),
  'a URL full of quotes': () => asked('\\"', 'data:text/html,'),
  'two million messages': () => messages(BODY_BYTES),
  'thirty thousand messages': () => messages(1_000_000),
  'a million numbers': () => filled('{"model":"gpt-4o-mini","input":[', '1,', '1]}', 1_000_000),
  'thirty million levels': () => filled('{"model":"gpt-4o-mini","a":', '[', '', BODY_BYTES / 2),
  'a million levels': () => filled('{"model":"gpt-4o-mini","a":', '[', '', 1_000_000),
  'three million images': () => filled('{"model":"gpt-4o-mini","data":[', '{"b64_json":"AAAA"},', '1]}'),
  'ten million members': () => filled('{"model":"gpt-4o-mini"', ',"a":1', '}'),
  'a million members called model': () => filled('{"a":1', ',"model":"gpt-4o-mini"', '}'),
  'huge metadata': () => filled('{"model":"gpt-4o-mini","metadata":{"a":"', 'sk-', '"}}'),
  'bytes that are no UTF-8': () => asked('\xff\0')
}

export const answers: Bodies = {
  ...eachRepeated(unit => filled('{"choices":[{"message":{"content":"', unit, '"}}]}')),
  'an image with escaped slashes': () => filled('{"data":[{"b64_json":"', 'abc\\/', '"}]}'),
  'a million choices': () => filled('{"choices":[', '{"index":0,"message":{"content":"a"}},', '{}]}'),
  'nothing but brackets': () => filled('{"choices":', '[', ''),
  'ten million members': () => filled('{"a":1', ',"a":1', '}'),
  'a huge error': () => filled('{"error":{"message":"', '%73%6b-', '"}}')
}

const event = (
  content: string
): string => `data: {"id":"a","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`

export const streams: Bodies = {
  ...Object.fromEntries(Object.entries(repeated).map(([name, unit]) =>
    [`one event of ${name}`, () => filled(event('').slice(0, -7), unit, '"}}]}\n\ndata: [DONE]\n\n', EVENT_BYTES)])),
  'an event that is too long': () => filled(event('').slice(0, -7), 'a', '"}}]}\n\ndata: [DONE]\n\n'),
  'a final response': () => filled(
    'data: {"type":"response.completed","response":{"output":[', '{"content":[{"text":"a"}]},', '1]}}\n\n', EVENT_BYTES
  ),
  'events of four megabytes': () => filled(
    '', filled(event('').slice(0, -7), '\\u0073\\"', '"}}]}\n\n', 4_000_000).toString(), 'data: [DONE]\n\n', 16_000_000
  ),
  'events of one character': () => filled(event('a'), event('a'), 'data: [DONE]\n\n', LINES_BYTES),
  'events of escapes': () => filled(event('a'), event('\\u0073\\u006b-'.repeat(500)), 'data: [DONE]\n\n', LINES_BYTES),
  'events with usage': () => filled(
    event('a'), 'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n', '', LINES_BYTES
  ),
  'events of a response': () => filled(
    '', 'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}\n\n', '', LINES_BYTES
  ),
  'events of an unknown kind': () => filled('', 'data: {"a":1}\n\n', '', LINES_BYTES),
  'events of one choice': () => filled(
    '', 'data: {"choices":[{"index":1e9,"delta":{"content":"a"}}]}\n\n', '', LINES_BYTES
  ),
  'events of an error': () => filled('', 'data: {"error":{"message":"sk-%73"}}\n\n', '', LINES_BYTES),
  'empty events': () => filled('', '\n', '', LINES_BYTES),
  'empty data': () => filled('', 'data:\n', ''),
  comments: () => filled('', ':\n', '', LINES_BYTES),
  'carriage returns': () => filled('', '\r', '', LINES_BYTES),
  'fields without data': () => filled('', 'event: a\n', '', LINES_BYTES),
  'one object on many lines': () => filled('data: {"a":1,\n', 'data:\n', ''),
  'one object of many levels': () => filled('data: {"a":', '[', ''),
  'one line that never ends': () => filled('', 'a', '')
}
