import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { type RawReply, json, silence, startUpstream } from '../helpers/upstream.js'
import { ask, header, logRows, logRowsOnce } from './raw-caller.js'

const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = plain.replace('{', '{"stream":true,')
const chat = 'POST /v1/chat/completions'
/** A step by which the one before has been written. */
const written = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

t.test('an upstream that gives no answer: 502, a record, one request, and the next call works', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const failures: Array<[string, RawReply]> = [
    ['closes at once', { raw: '' }],
    ['resets at once', { raw: '', ending: 'reset' }],
    ['answers garbage', { raw: 'hello, I am no HTTP\r\n\r\n' }],
    ['breaks off in its headers', { raw: 'HTTP/1.1 200 OK\r\ncontent-le' }],
    ['resets in its headers', { raw: ['HTTP/1.1 200 OK\r\ncontent-le', written], ending: 'reset' }],
    [
      'has a header with control characters',
      { raw: 'HTTP/1.1 200 OK\r\nx-a: a\x01b\x7f\r\ncontent-length: 2\r\n\r\n{}' }
    ],
    ['has a header without end', { raw: `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(200_000)}\r\n\r\n` }],
    [
      'switches protocols unasked',
      { raw: 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', ending: 'hang' }
    ],
    ['names two lengths', { raw: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc' }]
  ]
  for (const [i, [name, reply]] of failures.entries()) {
    const seen = upstream.requests.length
    upstream.reply(reply, json({ ok: true }))
    const answer = await ask(t, gateway, chat, [], i % 2 === 0 ? plain : streamed)
    t.equal(answer.status, 502, name)
    t.match(JSON.parse(answer.body), {
      error: { code: 'upstream_unreachable', type: 'api_error', param: null, message: /could not be reached/ }
    })
    t.equal(upstream.requests.length, seen + 1)
    t.match((await logRows(gateway)).at(-1), {
      status_code: 502,
      success: false,
      error_type: 'upstream_unreachable',
      usage_source: 'none',
      cost: null,
      cost_reason: 'no_usage'
    })
    t.equal((await ask(t, gateway, chat, [], plain)).status, 200)
  }
  t.equal((await logRows(gateway)).length, failures.length * 2)
})

t.test('an upstream that refuses connections, and one whose name is unknown: 502 and a record', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  for (const [upstreamUrl, code] of [
    [`http://127.0.0.1:${port}/v1`, /ECONNREFUSED/], ['http://nowhere.invalid/v1', /ENOTFOUND|EAI_AGAIN/]
  ] as const) {
    const gateway = await startGateway(t, { upstreamUrl })
    const answer = await ask(t, gateway, chat, [], plain)
    t.match(answer, { status: 502, body: code })
    t.match(await logRows(gateway), [{ status_code: 502, error_type: 'upstream_unreachable', error_message: code }])
  }
})

t.test('an upstream that never answers: 504 after UPSTREAM_TIMEOUT_MS; one that falls silent: a cut', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { UPSTREAM_TIMEOUT_MS: '300' } })
  upstream.reply(silence)
  const answer = await ask(t, gateway, chat, [], plain)
  t.equal(answer.status, 504)
  t.match(JSON.parse(answer.body), { error: { code: 'upstream_timeout', type: 'api_error', message: /300 ms/ } })
  t.equal(await upstream.requests[0]?.closed, 'aborted')
  for (const body of [plain, streamed]) {
    upstream.reply({
      headers: ['content-type', body === plain ? 'application/json' : 'text/event-stream'],
      body: ['data: 1\n\n', 'data: 2\n\n'],
      ending: 'hang'
    })
    const cut = await ask(t, gateway, chat, [], body)
    t.same([cut.status, cut.body, cut.complete], [200, 'data: 1\n\ndata: 2\n\n', false])
  }
  t.match(await logRowsOnce(gateway, 3), [
    { status_code: 504, error_type: 'upstream_timeout' },
    { status_code: 200, success: false, error_type: 'upstream_aborted', error_message: /Body Timeout/ },
    { status_code: 200, success: false, error_type: 'upstream_aborted' }
  ])
  upstream.reply(json({}))
  t.equal((await ask(t, gateway, chat, [], plain)).status, 200)
  t.equal(upstream.requests.length, 4)
})

t.test('an answer that breaks off is broken off for the caller, behind the bytes that came', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const head = (...lines: string[]): string => ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n')
  const half = '{"model":"gpt-4o-mini","choices":[{"message":{"content":"ha'
  const event = 'data: {"model":"gpt-4o-mini","choices":[{"delta":{"content":"ha"}}]}\n\n'
  const cuts: Array<[string, string, string, RawReply['ending']]> = [
    ['too short for its length', half, head('content-type: application/json', 'content-length: 1000'), 'close'],
    ['too short for its length, reset', half, head('content-type: application/json', 'content-length: 1000'), 'reset'],
    [
      'too short for its length, closing',
      half,
      head('content-type: application/json', 'content-length: 1000', 'connection: close'),
      'close'
    ],
    ['no body at all', '', head('content-type: application/json', 'content-length: 1000'), 'close'],
    ['not the last chunk', half, head('content-type: application/json', 'transfer-encoding: chunked'), 'close'],
    ['not the last chunk, reset', half, head('content-type: application/json', 'transfer-encoding: chunked'), 'reset'],
    [
      'not the last chunk, closing',
      half,
      head('content-type: application/json', 'transfer-encoding: chunked', 'connection: close'),
      'close'
    ],
    [
      'a stream without its last chunk',
      event,
      head('content-type: text/event-stream', 'transfer-encoding: chunked'),
      'close'
    ],
    [
      'a stream without its last chunk, reset',
      event,
      head('content-type: text/event-stream', 'transfer-encoding: chunked'),
      'reset'
    ],
    [
      'in the middle of an event',
      `${event}data: {"ch`,
      head('content-type: text/event-stream', 'transfer-encoding: chunked'),
      'reset'
    ],
    [
      'behind [DONE]',
      `${event}data: [DONE]\n\n`,
      head('content-type: text/event-stream', 'transfer-encoding: chunked'),
      'reset'
    ],
    ['a binary', 'RIFF\x00\xff', head('content-type: audio/wav', 'content-length: 10'), 'reset'],
    ['broken chunking', half, head('content-type: application/json', 'transfer-encoding: chunked'), 'close']
  ]
  for (const [name, body, start, ending = 'close'] of cuts) {
    const framed = start.includes('chunked') && body !== '' ? `${body.length.toString(16)}\r\n${body}\r\n` : body
    upstream.reply({
      raw: [Buffer.from(start + framed + (name === 'broken chunking' ? 'zz\r\n' : ''), 'latin1'), written], ending
    })
    const seen = upstream.requests.length
    const answer = await ask(t, gateway, chat, [], start.includes('event') ? streamed : plain)
    t.same([answer.status, answer.body, answer.complete], [200, body, false], name)
    t.equal(upstream.requests.length, seen + 1)
    if (name === 'behind [DONE]') continue
    t.match((await logRowsOnce(gateway, seen + 1)).at(-1), {
      status_code: 200,
      success: false,
      error_type: 'upstream_aborted',
      usage_source: name === 'a binary' ? 'none' : 'estimated',
      response_bytes: `${body.length}`
    }, name)
  }
  upstream.reply(json({ ok: 1 }))
  t.equal((await ask(t, gateway, chat, [], plain)).status, 200)
})

t.test('an answer longer than its length is cut to it, and the next call gets an answer of its own', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const rest of ['garbage', 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison']) {
    upstream.reply(
      { raw: `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok${rest}`, ending: 'hang' }, json({ own: true })
    )
    t.match(await ask(t, gateway, chat, [], plain), { status: 200, body: 'ok', complete: true })
    t.match(await ask(t, gateway, chat, [], plain), { status: 200, body: '{"own":true}' })
  }
  t.equal(upstream.requests.length, 4)
  t.match(await logRows(gateway), Array(4).fill({ success: true }))
})

t.test('a page of HTML, half a JSON and a JSON of another kind go through as they are', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const [type, body, source] of [
    ['text/html', '<html>Bad gateway</html>', 'none'],
    ['application/json', '{"model":"gpt-4o-mini","choices":[{"mess', 'estimated'],
    ['application/json', '[1,2', 'estimated'],
    ['application/json', 'null', 'estimated'],
    ['application/json', '', 'none']
  ] as const) {
    for (const request of [plain, streamed]) {
      upstream.reply({ headers: ['content-type', type], body })
      const answer = await ask(t, gateway, chat, [], request)
      t.same([
        answer.status, answer.body, header(answer.headers, 'content-type'), answer.complete
      ], [200, body, type, true])
      if (body !== '') t.match((await logRows(gateway)).at(-1), { status_code: 200, usage_source: source }, body)
    }
  }
  t.equal((await logRows(gateway)).length, 10)
})

t.test('an upstream\'s error is passed on and recorded, the caller\'s key in it redacted', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const key = `sk-proj-${'Ab3_'.repeat(12)}`
  const error = {
    error: {
      message: `Incorrect API key provided: ${key}.`,
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_api_key'
    }
  }
  for (const [reply, type] of [
    [json(error, 401, ['x-request-id', `req_${key}`]), 'invalid_request_error'],
    [
      { status: 200, headers: ['content-type', 'text/event-stream'], body: [`data: ${JSON.stringify(error)}\n\n`] },
      'invalid_request_error'
    ],
    [{ status: 503, headers: ['content-type', 'text/plain'], body: `no ${key}` }, 'http_error'],
    [json({ error: key }, 500), 'upstream_error'],
    [json({ error: { type: key, code: 7, detail: { nested: key } } }, 500), /redacted/],
    [json({ model: key, service_tier: key, error: null }, 200), null]
  ] as const) {
    upstream.reply(reply)
    const answer = await ask(t, gateway, 'POST /prompt-types/secret/v1/chat/completions', [
      `authorization: Bearer ${key}`,
      'x-prompt-store-full-data: true',
      `x-prompt-user: ${key}`,
      `x-prompt-metadata: {"k":"${key}"}`
    ],
    JSON.stringify({ model: `gpt-${key}`, user: key, messages: [{ role: 'user', content: `my key is ${key}` }] }))
    t.match(answer, { status: reply.status ?? 200, body: key })
    t.match((await logRows(gateway)).at(-1), { error_type: type, success: type === null })
  }
  const kept = JSON.stringify([
    await logRows(gateway),
    await gateway.database.operator.$client.unsafe('select * from prompt_stats'),
    await gateway.database.operator.$client.unsafe('select * from usage_rollups'),
    gateway.logged
  ])
  t.notMatch(kept, new RegExp(key))
  t.match(kept, /redacted/)
})

t.test('an error nested deeper than any stack leaves the answer and the books whole', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const deep = `{"error":${'['.repeat(30_000)}${']'.repeat(30_000)}}`
  upstream.reply({ status: 500, headers: ['content-type', 'application/json'], body: deep })
  const nested = plain.replace('{', `{"metadata":{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}},`)
  const goesThrough = async (request: string, body: string): Promise<void> => {
    const answer = await ask(t, gateway, chat, [], request)
    t.ok(answer.body === body && answer.complete)
  }
  for (const request of [plain, nested]) await goesThrough(request, deep)
  upstream.reply({ status: 500, headers: ['content-type', 'application/json'], body: `{"error":{"a":${deep}}}` })
  await goesThrough(plain, `{"error":{"a":${deep}}}`)
  for (const member of [
    '"choices":[{"delta":', '"choices":[{"index":0,"delta":{"content":"a","x":', '"error":{"a":',
    '"type":"response.completed","response":{"output":'
  ]) {
    const body =
      `data: {${member}${deep}${member.startsWith('"choices":[{"index') ? '}}]}' : member.startsWith('"choices') ? '}]}' : '}}'}\n\n`
    upstream.reply({ headers: ['content-type', 'text/event-stream'], body: [body, 'data: [DONE]\n\n'] })
    for (const request of [plain, streamed, nested]) await goesThrough(request, `${body}data: [DONE]\n\n`)
  }
  upstream.reply(json({ choices: [] }))
  const input = `${'['.repeat(60_000)}${']'.repeat(60_000)}`
  for (const request of [
    nested,
    `{"model":"gpt-4o","messages":${input}}`,
    `{"model":"gpt-4o","messages":[{"role":"user","content":${input}}]}`
  ]) await goesThrough(request, '{"choices":[]}')
  const rows = await logRows(gateway)
  t.equal(rows.length, 18)
  t.same(gateway.logged.filter(line => Number(line['level']) >= 50), [])
})
