import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { type RawReply, startUpstream } from '../helpers/upstream.js'
import { type LogRow, RawCaller, ask, endToEnd, logRowsOnce, requestText } from './raw-caller.js'

const chat = 'POST /v1/chat/completions'
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = plain.replace('{', '{"stream":true,')
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
/** A step by which the one before has been written. */
const written = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

/** Name, the upstream's bytes, and what the caller gets of status line, end-to-end headers and body. */
const answers: Array<[string, string, string, string[], string]> = [
  ['204 with a length', '204 No Content\r\nContent-Length: 5\r\n\r\n', '204 No Content', ['Content-Length: 5'], ''],
  ['204 with a body', '204 No Content\r\ncontent-length: 5\r\n\r\nhello', '204 No Content', ['content-length: 5'], ''],
  [
    '204 with a length of 0', '204 No Content\r\ncontent-length: 0\r\n\r\n', '204 No Content', ['content-length: 0'], ''
  ],
  [
    '204 in chunks',
    '204 No Content\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    '204 No Content',
    [],
    ''
  ],
  [
    '205 with a body',
    '205 Reset Content\r\ncontent-length: 5\r\n\r\nhello',
    '205 Reset Content',
    ['content-length: 5'],
    'hello'
  ],
  ['205 without', '205 Reset Content\r\ncontent-length: 0\r\n\r\n', '205 Reset Content', ['content-length: 0'], ''],
  [
    '304 with a length',
    '304 Not Modified\r\ncontent-length: 5\r\netag: "a"\r\n\r\n',
    '304 Not Modified',
    ['content-length: 5', 'etag: "a"'],
    ''
  ],
  ['304 in chunks', '304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n', '304 Not Modified', [], ''],
  [
    'early hints',
    '103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}',
    '200 OK',
    ['content-length: 2'],
    '{}'
  ],
  [
    'two informational answers',
    '102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}',
    '201 Created',
    ['content-length: 2'],
    '{}'
  ],
  ['an empty reason', '200 \r\ncontent-length: 2\r\n\r\n{}', '200 ', ['content-length: 2'], '{}'],
  ['no reason at all', '200\r\ncontent-length: 2\r\n\r\n{}', '200 ', ['content-length: 2'], '{}'],
  [
    'a reason in UTF-8',
    latin1Of('200 Dobrý den 雪\r\ncontent-length: 2\r\n\r\n{}'),
    latin1Of('200 Dobrý den 雪'),
    ['content-length: 2'],
    '{}'
  ],
  ['a reason with a tab', '200 O\tK\r\ncontent-length: 2\r\n\r\n{}', '200 O\tK', ['content-length: 2'], '{}'],
  [
    'a reason with control characters',
    '200 O\x01\x7fK\x1b\r\ncontent-length: 2\r\n\r\n{}',
    '200 O  K ',
    ['content-length: 2'],
    '{}'
  ],
  ['an error\'s reason with NUL', '500 O\x00K\r\ncontent-length: 2\r\n\r\n{}', '500 O K', ['content-length: 2'], '{}'],
  [
    'a long reason',
    `200 ${'x'.repeat(8000)}\r\ncontent-length: 2\r\n\r\n{}`,
    `200 ${'x'.repeat(8000)}`,
    ['content-length: 2'],
    '{}'
  ],
  ['a status of no class', '999 Odd\r\ncontent-length: 2\r\n\r\n{}', '999 Odd', ['content-length: 2'], '{}'],
  [
    'an odd name',
    '200 OK\r\nx!#$%&\'*+-.^_`|~y: 1\r\ncontent-length: 2\r\n\r\n{}',
    '200 OK',
    ['x!#$%&\'*+-.^_`|~y: 1', 'content-length: 2'],
    '{}'
  ],
  [
    'values that are empty, Latin-1, or have a tab',
    '200 OK\r\nx-e:\r\nx-l: \xff\x80\r\nx-t: a\tb\r\ncontent-length: 2\r\n\r\n{}',
    '200 OK',
    ['x-e: ', 'x-l: \xff\x80', 'x-t: a\tb', 'content-length: 2'],
    '{}'
  ],
  ['a length with spaces behind it', '200 OK\r\ncontent-length: 2  \r\n\r\n{}', '200 OK', ['content-length: 2'], '{}'],
  [
    'a name of the prototype\'s',
    '200 OK\r\n__proto__: 1\r\nconstructor: 2\r\ncontent-length: 2\r\n\r\n{}',
    '200 OK',
    ['__proto__: 1', 'constructor: 2', 'content-length: 2'],
    '{}'
  ]
]

function latin1Of (text: string): string { return Buffer.from(text).toString('latin1') }

t.test('the caller gets what the books say: odd heads are written as near to what they are as HTTP allows', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  let rows = 0
  for (const [name, sent, line, headers, body] of answers) {
    for (const request of [plain, streamed]) {
      upstream.reply({ raw: latin1(`HTTP/1.1 ${sent}`) })
      const answer = await ask(t, gateway, chat, [], request)
      t.same([answer.statusLine, endToEnd(answer.headers).map(text => text.trimEnd()), answer.body, answer.complete],
        [`HTTP/1.1 ${line}`, headers.map(text => text.trimEnd()), body, true], name)
      t.match(
        (await logRowsOnce(gateway, ++rows)).at(-1),
        { status_code: answer.status, response_bytes: `${body.length}` },
        name
      )
    }
  }
})

/** docs/decisions/0005: undici ends these inside of its parser. */
const rejected: Array<[string, string]> = [
  ['an un-asked 100', '100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
  ['the same length twice', '200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}']
]

t.test('what the HTTP client rejects is a 502, in the books too, and the next call goes through', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const [index, [name, sent]] of rejected.entries()) {
    upstream.reply({ raw: latin1(`HTTP/1.1 ${sent}`) })
    const answer = await ask(t, gateway, chat, [], plain)
    t.equal(answer.status, 502, name)
    t.match(JSON.parse(answer.body), { error: { code: 'upstream_unreachable' } })
    t.match((await logRowsOnce(gateway, 2 * index + 1)).at(-1), { status_code: 502, success: false }, name)
    upstream.reply({ raw: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}' })
    t.equal((await ask(t, gateway, chat, [], plain)).status, 200, name)
  }
})

t.test('a HEAD request gets the head, and nothing waits for a body', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const lines of [
    'content-length: 5', 'transfer-encoding: chunked', 'content-type: text/event-stream', 'x-a: b'
  ]) {
    upstream.reply({ raw: `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n` })
    const caller = await new RawCaller(t, gateway.origin).send(requestText('HEAD /v1/models')).until('\r\n\r\n')
    t.match(caller.text, lines.startsWith('transfer') ? /^HTTP\/1\.1 200 OK\r\n/ : lines)
    caller.send(requestText('GET /v1/models', ['connection: close']))
    upstream.reply({ raw: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}' })
    await caller.until('{}')
  }
})

t.test('an answer of which one chunk came, and then a cut, reaches the caller as far as it came', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const check = (row: LogRow | undefined): void => {
    t.match(row, { status_code: 200, success: false, error_type: 'upstream_aborted' })
  }
  let rows = 0
  for (const type of ['application/json', 'text/event-stream', 'audio/wav', 'text/plain', '']) {
    const contentType = type === '' ? '' : `content-type: ${type}\r\n`
    for (const first of ['{"a":1', 'data: {"a":1}\n\n', 'data: {"a', 'x', '{', ' ']) {
      for (const framing of ['content-length: 1000', 'transfer-encoding: chunked']) {
        for (const ending of ['close', 'reset'] as const) {
          const chunk = framing.includes('chunked') ? `${first.length.toString(16)}\r\n${first}\r\n` : first
          upstream.reply(
            {
              raw: [`HTTP/1.1 200 OK\r\n${contentType}${framing}\r\n\r\n${chunk}`, written, written], ending
            } satisfies RawReply
          )
          const answer = await ask(t, gateway, chat, [], rows % 2 === 0 ? plain : streamed)
          t.same([
            answer.status, answer.body, answer.complete
          ], [200, first, false], `${type} ${first} ${framing} ${ending}`)
          check((await logRowsOnce(gateway, ++rows)).at(-1))
        }
      }
    }
  }
})
