import {
  brotliDecompressSync,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  gunzipSync,
  gzipSync,
  inflateSync
} from 'node:zlib'
import t from 'tap'
import { gate } from '../helpers/gate.js'
import { startGateway } from '../helpers/gateway.js'
import { type HttpReply, events, json, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, dechunk, header, logRows, logRowsOnce, requestText, statsOf } from './raw-caller.js'

const codings = ['gzip', 'br', 'deflate'] as const
const decode = { gzip: gunzipSync, br: brotliDecompressSync, deflate: inflateSync }
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'
const asked = streamed.replace('{', '{"stream_options":{"include_usage":true},')
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
const delta = (content: string, more: object): object => ({
  id: 'c', model: 'gpt-4o-mini-2024-07-18', choices: [{ index: 0, delta: { content } }], ...more
})
const withUsage = [
  delta('Hel', { usage: null }),
  delta('lo', { usage: null }),
  { id: 'c', model: 'gpt-4o-mini-2024-07-18', choices: [], usage }
]
const without = [delta('Hel', {}), delta('lo', {})]
const textOf = (reply: HttpReply): string => Array.from(reply.body as Iterable<string>).join('')
/** A step by which the one before has been written. */
const written = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

t.test('a compressed answer goes through byte for byte, and the books see its text', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const body = { model: 'gpt-4o-mini', choices: [{ message: { content: 'é'.repeat(5000) } }], usage }
  for (const encoding of codings) {
    upstream.reply({ ...json(body), encoding })
    const answer = await ask(
      t, gateway, 'POST /v1/chat/completions', [`Accept-Encoding: zstd, ${encoding}`, 'X-Prompt-Type: a'], plain
    )
    const sent = latin1(answer.body)
    t.equal(header(answer.headers, 'content-encoding'), encoding)
    t.equal(header(answer.headers, 'content-length'), `${sent.length}`)
    t.equal(decode[encoding](sent).toString(), JSON.stringify(body))
    t.equal((await statsOf(gateway, 'a'))?.['last_response'], JSON.stringify(body))
  }
  t.same(
    upstream.requests.map(request => request.headers('accept-encoding')), codings.map(coding => [`zstd, ${coding}`])
  )
  t.match(
    await logRows(gateway), codings.map(() => ({ input_tokens: '11', output_tokens: '7', usage_source: 'upstream' }))
  )
})

t.test('a compressed stream whose caller asked for usage goes through byte for byte', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const encoding of codings) {
    upstream.reply({ ...events(...withUsage), encoding })
    const answer = await ask(t, gateway, 'POST /v1/chat/completions', [`Accept-Encoding: ${encoding}`], asked)
    t.equal(answer.complete, true)
    t.equal(decode[encoding](latin1(answer.body)).toString(), textOf(events(...withUsage)))
  }
  t.match(
    await logRows(gateway),
    codings.map(() => ({ input_tokens: '11', output_tokens: '7', usage_source: 'upstream', success: true }))
  )
})

t.test('a compressed stream that was asked for usage decodes to the one that was not', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const encoding of codings) {
    upstream.reply({ ...events(...withUsage), encoding })
    const answer = await ask(
      t, gateway, 'POST /v1/chat/completions', [`Accept-Encoding: zstd;q=1, ${encoding}, *`], streamed
    )
    t.equal(header(answer.headers, 'content-encoding'), encoding)
    t.equal(answer.complete, true)
    t.equal(decode[encoding](latin1(answer.body)).toString(), textOf(events(...without)))
  }
  t.same(upstream.requests.map(request => request.headers('accept-encoding')), codings.map(coding => [coding]))
  t.match(
    await logRows(gateway), codings.map(() => ({ input_tokens: '11', output_tokens: '7', usage_source: 'upstream' }))
  )
})

t.test('an event of a compressed stream reaches the caller before the next is written', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const body of [streamed, asked]) {
    for (const encoding of codings) {
      const { passed, open } = gate()
      const [first = '', ...rest] = events(...withUsage).body as string[]
      upstream.reply({ headers: ['content-type', 'text/event-stream'], body: [first, passed, ...rest], encoding })
      const caller = await new RawCaller(t, gateway.origin).send(
        requestText('POST /v1/chat/completions', [`accept-encoding: ${encoding}`], body)
      )
        .until('\r\n\r\n')
      const options = { flush: encoding === 'br' ? constants.BROTLI_OPERATION_FLUSH : constants.Z_SYNC_FLUSH }
      const decoder = { gzip: createGunzip, br: createBrotliDecompress, deflate: createInflate }[encoding](options)
      let written = 0
      const feed = (): void => {
        const bytes = latin1(dechunk(caller.text.slice(caller.text.indexOf('\r\n\r\n') + 4)).body)
        decoder.write(bytes.subarray(written))
        written = bytes.length
      }
      caller.socket.on('data', feed)
      feed()
      let text = ''
      for await (const part of decoder) {
        text += String(part)
        if (text.includes('\n\n')) break
      }
      t.match(text, body === asked ? /Hel.*"usage":null/ : /Hel/, `${encoding} ${body.length}`)
      caller.socket.off('data', feed)
      open()
      t.equal((await caller.answer()).complete, true)
    }
  }
})

t.test('what is not in its coding passes as it came, with the books none the wiser', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const encoding of ['gzip', 'br', 'zstd', 'gzip, br']) {
    for (const type of ['application/json', 'text/event-stream']) {
      upstream.reply({
        headers: ['content-type', type, 'content-encoding', encoding], body: 'data: not what it says\n\n'
      })
      const answer = await ask(t, gateway, 'POST /v1/chat/completions', [], plain)
      t.same([
        answer.status, answer.body, answer.complete
      ], [200, 'data: not what it says\n\n', true], `${encoding} ${type}`)
    }
  }
  t.match(await logRows(gateway), Array(8).fill({ status_code: 200, success: true }))
})

t.test('a compressed stream that is broken ends as an upstream does that breaks off, where it has to be decoded', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply({
    headers: ['content-type', 'text/event-stream', 'content-encoding', 'gzip'],
    body: ['data: not gzip\n\n', 'data: [DONE]\n\n']
  })
  const answer = await ask(t, gateway, 'POST /v1/chat/completions', ['accept-encoding: gzip'], streamed)
  t.same([answer.status, answer.complete], [200, false])
  t.match(await logRowsOnce(gateway, 1), [{ success: false, error_type: 'upstream_aborted' }])
})

t.test('a compressed answer that is cut short is cut for the caller, and its text is in the books', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const bytes = gzipSync(textOf(events(...withUsage.slice(0, 2))), { flush: constants.Z_SYNC_FLUSH })
  for (const body of [streamed, asked]) {
    upstream.reply({
      headers: ['content-type', 'text/event-stream', 'content-encoding', 'gzip'],
      body: [bytes.subarray(0, -12), written],
      ending: 'reset'
    })
    const answer = await ask(
      t, gateway, 'POST /v1/chat/completions', ['accept-encoding: gzip', 'x-prompt-type: cut'], body
    )
    t.same([answer.status, answer.complete], [200, false])
    t.match(gunzipSync(latin1(answer.body), { finishFlush: constants.Z_SYNC_FLUSH }).toString(), /"Hel"/)
    const rows = await logRows(gateway)
    t.match(rows.at(-1), { success: false, error_type: 'upstream_aborted', usage_source: 'estimated' })
    t.match((await statsOf(gateway, 'cut'))?.['last_response'], /Hel/)
  }
})
