import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { declaredKind, sniffKind } from '../../src/decoders/body-kind.js'
import { gate } from '../helpers/gate.js'
import { startGateway } from '../helpers/gateway.js'
import { type Step, type UpstreamRequest, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, header, logRows, requestText } from './raw-caller.js'

const chat = 'POST /v1/chat/completions'
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = plain.replace('{', '{"stream":true,')
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
const delta = (
  more: object
): string => `data: ${JSON.stringify({ model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'hi' } }], ...more })}\n\n`
const extra = `data: ${JSON.stringify({ model: 'gpt-4o-mini', choices: [], usage })}\n\n`
const asked = `${delta({ usage: null })}${extra}data: [DONE]\n\n`
const unasked = `${delta({})}data: [DONE]\n\n`
const completion = JSON.stringify({ model: 'gpt-4o-mini', choices: [{ message: { content: 'hi' } }], usage })
const wrongTypes = [
  undefined, 'text/plain', 'application/octet-stream', 'text/html; charset=utf-8', 'audio/mpeg', 'nonsense'
]
const booked = { input_tokens: '11', output_tokens: '7', usage_source: 'upstream', success: true }

t.test('a body is what its first bytes say', t => {
  const bom = '\u00ef\u00bb\u00bf'
  for (const [text, kind] of [
    [
      'data: x', 'stream'
    ], ['data:', 'stream'], ['dat', 'more'], ['database', null], [
      ': ping', 'stream'
    ], ['id:1', 'stream'], ['id', 'more'], ['idle', null],
    ['event: a', 'stream'], ['retry: 1', 'stream'], ['\n\ndata: x', 'stream'], [
      `${bom}data: x`, 'stream'
    ], [bom, 'more'], ['\u00ef', 'more'], ['\u00ef\u00bbx', null],
    ['{', 'more'], ['{"', 'json'], ['{ }', 'json'], ['{\n "a"', 'json'], [
      `${bom} {"`, 'json'
    ], ['[{', 'json'], ['[1', 'json'], ['[]', 'json'], ['[Music]', null], ['{x', null],
    ['', 'blank'], [' \r\n\t', 'blank'], ['<html>', null], ['ID3', null], ['RIFF', null], ['[DONE]', null]
  ] as const) t.equal(sniffKind(Buffer.from(text, 'latin1')), kind, JSON.stringify(text))
  for (const [type, kind] of [
    ['', 'text'], [
      'text/event-stream; charset=utf-8', 'stream'
    ], ['application/json', 'json'], ['application/problem+json', 'json'], ['text/html', 'text'],
    ['audio/mpeg', 'binary'], ['application/x-ndjson', 'lines'], ['application/jsonl', 'lines'], [
      'application/octet-stream', 'binary'
    ], ['nonsense', 'binary']
  ] as const) t.equal(declaredKind(type), kind, type)
  t.end()
})

t.test('a stream under a wrong Content-Type, or none, is stripped and booked, whatever its chunks and its coding', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const asks = (request: UpstreamRequest): boolean => request.body.includes('include_usage')
  for (const type of [...wrongTypes, 'application/x-ndjson', 'application/json', 'text/event-stream']) {
    const headers = type === undefined ? [] : ['content-type', type]
    for (const body of [
      asked, [asked], Array.from(asked), ['\ufeff', asked], ['\n', `\n${asked}`]
    ] as Array<string | Step[]>) {
      for (const encoding of [
        undefined, ...(typeof body === 'string' || body.length === 1 ? ['gzip', 'br'] as const : [])
      ]) {
        upstream.reply({ headers, body, ...(encoding === undefined ? {} : { encoding }) })
        const answer = await ask(t, gateway, chat, ['accept-encoding: gzip, br'], streamed)
        t.equal(asks(upstream.requests.at(-1) as UpstreamRequest), true)
        const bytes = Buffer.from(answer.body, 'latin1')
        const text = (encoding === 'gzip'
          ? gunzipSync(bytes)
          : encoding === 'br' ? brotliDecompressSync(bytes) : bytes).toString()
        const lead = typeof body === 'string'
          ? ''
          : body[0] === '\ufeff' ? '\ufeff' : body[0] === '\n' && body[1] !== 'd' && body.length === 2 ? '\n\n' : ''
        t.same([
          text, answer.complete, header(answer.headers, 'content-type')
        ], [lead + unasked, true, type], `${type} ${typeof body} ${encoding}`)
        t.match((await logRows(gateway)).at(-1), booked)
      }
    }
  }
})

t.test('a body behind very much white space is stripped and booked', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const type of [undefined, 'application/json', 'text/plain', 'text/event-stream']) {
    for (const blank of ['\n'.repeat(300), ' \t\r\n'.repeat(5000)]) {
      const headers = type === undefined ? [] : ['content-type', type]
      const answers = [
        [streamed, asked, unasked], [plain, completion, completion], [streamed, completion, completion]
      ] as const
      for (const [request, sent, seen] of answers) {
        for (const body of [blank + sent, [blank + sent], [blank, sent]]) {
          upstream.reply({ headers, body })
          const answer = await ask(t, gateway, chat, [], request)
          t.equal(answer.body, blank + seen)
          t.equal(answer.complete, true)
          t.match((await logRows(gateway)).at(-1), booked, `${type} ${blank.length}`)
        }
      }
    }
  }
})

t.test('JSON under a wrong Content-Type, or none, is booked, and its head is the upstream\'s', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const type of [...wrongTypes, 'application/json', 'text/event-stream']) {
    const headers = type === undefined ? [] : ['content-type', type]
    for (const body of [
      completion, ` \n${completion}`, ['{', completion.slice(1)], [' ', ' ', completion], ['\ufeff', completion]
    ]) {
      for (const request of [plain, streamed]) {
        upstream.reply({ headers, body })
        const answer = await ask(t, gateway, chat, [], request)
        const text = typeof body === 'string' ? body : body.join('')
        t.same([Buffer.from(answer.body, 'latin1').toString(), answer.complete], [text, true])
        if (typeof body === 'string' &&
          (type !== 'text/event-stream' ||
            request === plain)) {
          t.equal(header(
            answer.headers, 'content-length'
          ), `${Buffer.byteLength(body)}`, `${type}`)
        }
        t.match((await logRows(gateway)).at(-1), booked, `${type}`)
      }
    }
    upstream.reply({ headers, body: completion, encoding: 'gzip' })
    const coded = await ask(t, gateway, chat, ['accept-encoding: gzip'], plain)
    t.equal(gunzipSync(Buffer.from(coded.body, 'latin1')).toString(), completion)
    t.equal(header(coded.headers, 'content-length'), `${coded.body.length}`)
    t.match((await logRows(gateway)).at(-1), booked, `${type} gzip`)
  }
})

t.test('JSON lines are booked by the usage in one of them, whatever they call themselves, whatever their chunks', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const line = (
    more: object
  ): string => `${JSON.stringify({ model: 'gpt-4o-mini', choices: [{ delta: { content: 'hi' } }], ...more })}\n`
  const lines = [line({}), line({ usage: null }), line({ usage })]
  for (const type of [undefined, 'application/x-ndjson', 'application/jsonl', 'application/json', 'text/plain']) {
    const headers = type === undefined ? [] : ['content-type', type]
    const text = lines.join('')
    for (const body of [
      text,
      lines,
      Array.from(text),
      [text.trimEnd()],
      [text, '\n\n', 'not JSON\n{"half":'],
      [lines[2] ?? '', lines[0] ?? ''],
      [text.replaceAll('\n', '\r\n\r\n')]
    ]) {
      for (const request of [plain, streamed]) {
        upstream.reply({ headers, body })
        const answer = await ask(t, gateway, chat, [], request)
        t.same([answer.body, answer.complete], [typeof body === 'string' ? body : body.join(''), true], `${type}`)
        t.match((await logRows(gateway)).at(-1), booked, `${type} ${JSON.stringify(body).slice(0, 60)}`)
      }
    }
    upstream.reply({ headers, body: text, encoding: 'gzip' })
    await ask(t, gateway, chat, ['accept-encoding: gzip'], plain)
    t.match((await logRows(gateway)).at(-1), booked, `${type} gzip`)
    upstream.reply({
      headers, body: [lines[0] ?? '', line({ error: { message: 'overloaded', type: 'server_error' } })]
    })
    await ask(t, gateway, chat, [], plain)
    t.match((await logRows(gateway)).at(-1), {
      usage_source: 'estimated', error_message: 'overloaded'
    }, `${type}: without usage it is estimated`)
  }
})

t.test('nothing waits for a type: an event without one goes on when it comes, and so do white space and text', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const request of [streamed, plain]) {
    for (const first of [delta({}), ': ping\n', 'plain text\n', '   ']) {
      const { passed, open } = gate()
      upstream.reply({ headers: [], body: [first, passed, '\n\n'] })
      const caller = await new RawCaller(t, gateway.origin).send(requestText(chat, [], request))
        .until(`\r\n\r\n${first.length.toString(16)}\r\n${first}`)
      open()
      t.match(await caller.answer(), { body: `${first}\n\n`, complete: true })
    }
  }
})

t.test('an answer without bytes, or cut before them, has its head', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply({ raw: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n' })
  t.match(await ask(t, gateway, chat, [], streamed), {
    status: 200, headers: ['content-length: 10'], body: '', complete: false
  })
  upstream.reply({ raw: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nda' })
  t.match(await ask(t, gateway, chat, [], streamed), { status: 200, body: 'da', complete: false })
  upstream.reply({ body: '' })
  t.match(await ask(t, gateway, chat, [], streamed), {
    status: 200, headers: ['content-length: 0'], body: '', complete: true
  })
})
