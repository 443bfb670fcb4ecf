import t from 'tap'
import { gate } from '../helpers/gate.js'
import { startGateway } from '../helpers/gateway.js'
import { events, stalled, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, dechunk, logRows, logRowsOnce, requestText } from './raw-caller.js'

const chat = 'POST /v1/chat/completions'
const streamed = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'
const asked = streamed.replace('{', '{"stream_options":{"include_usage":true},')
const delta = (
  content: string
): string => `data: {"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`
const piece = Buffer.alloc(64 * 1024, 'x')
const pieces = 1024

t.test('an event reaches the caller before the next one is written', async t => {
  const upstream = await startUpstream(t)
  for (const STREAM_USAGE of ['inject', 'estimate']) {
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { STREAM_USAGE } })
    for (const [path, body, type] of [
      ['/v1/chat/completions', streamed, 'text/event-stream'],
      ['/v1/chat/completions', asked, 'text/event-stream; charset=utf-8'],
      ['/v1/responses', streamed, 'text/event-stream'],
      ['/v1/audio/speech', '{"input":"x"}', 'audio/mpeg'],
      ['/v1/odd', '{"stream":true}', 'application/x-ndjson']
    ] as const) {
      const gates = Array.from({ length: 4 }, gate)
      upstream.reply({
        headers: ['content-type', type], body: gates.flatMap(({ passed }, i) => [delta(`number ${i}`), passed])
      })
      const caller = new RawCaller(t, gateway.origin).send(requestText(`POST ${path}`, [], body))
      for (const [i, { open }] of gates.entries()) {
        await caller.until(delta(`number ${i}`))
        t.notMatch(caller.text, `number ${i + 1}`)
        open()
      }
      t.same(
        dechunk(caller.text.slice(caller.text.indexOf('\r\n\r\n') + 4)).chunks.slice(0, 4),
        gates.map((_, i) => delta(`number ${i}`))
      )
      t.equal((await caller.answer()).complete, true, `${STREAM_USAGE} ${path}`)
    }
  }
})

t.test('the headers of a stream come before its first event', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const { passed, open } = gate()
  upstream.reply({ headers: ['content-type', 'text/event-stream', 'x-early', '1'], body: [passed, delta('a')] })
  const caller = await new RawCaller(t, gateway.origin).send(requestText(chat, [], streamed)).until('x-early: 1')
  t.equal(upstream.requests[0]?.sentBytes, 0)
  open()
  t.equal((await caller.answer()).body, delta('a'))
})

t.test('two thousand chunks come in order, whole, and are counted', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const body = [...Array.from({ length: 2000 }, (_, i) => delta(`é${i}`)), 'data: [DONE]\n\n']
  upstream.reply({ headers: ['content-type', 'text/event-stream'], body })
  for (const request of [streamed, asked]) {
    const answer = await ask(t, gateway, chat, [], request)
    t.equal(Buffer.from(answer.body, 'latin1').toString(), body.join(''))
    t.equal(answer.complete, true)
  }
  const sizeBytes = `${Buffer.byteLength(body.join(''))}`
  t.match(
    await logRows(gateway),
    Array(2).fill({ response_bytes: sizeBytes, success: true, usage_source: 'estimated', stream: true })
  )
})

t.test('a caller who does not read holds the upstream, and gets all of it in the end', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const [type, encoding] of [
    ['text/event-stream'], ['application/json'], ['audio/wav'], ['audio/wav', 'gzip']
  ] as const) {
    upstream.reply({
      headers: ['content-type', type, ...(encoding === undefined ? [] : ['content-encoding', encoding])],
      body: Array.from({ length: pieces }, () => piece)
    })
    const seen = upstream.requests.length
    const caller = new RawCaller(t, gateway.origin)
    caller.socket.pause()
    caller.send(requestText(chat, [], asked))
    const request = await upstream.nth(seen)
    const stalledAt = await stalled(() => request.sentBytes)
    t.ok(stalledAt < pieces * piece.length / 3, `${type}: stalled at ${stalledAt}`)
    let received = 0
    caller.socket.removeAllListeners('data')
    caller.socket.on('data', (text: string) => { received += text.length })
    caller.socket.resume()
    t.equal(await request.closed, 'answered')
    t.equal(request.sentBytes, pieces * piece.length)
    await logRowsOnce(gateway, seen + 1)
    await stalled(() => received)
    t.ok(received > pieces * piece.length, `${type}: ${received}`)
    caller.socket.destroy()
  }
})

t.test('a stream without [DONE], or with it unfinished, ends as it does upstream', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const tail of ['', 'data: [DONE]', 'data: [DONE]\n', ': a comment\n\n', 'data: {"half":']) {
    for (const request of [streamed, asked]) {
      upstream.reply({ headers: ['content-type', 'text/event-stream'], body: [delta('a'), tail] })
      const answer = await ask(t, gateway, chat, [], request)
      t.same([answer.body, answer.complete], [delta('a') + tail, true])
    }
  }
  upstream.reply({ headers: ['content-type', 'text/event-stream'], body: [] })
  t.match(await ask(t, gateway, chat, [], streamed), { body: '', complete: true })
  t.equal((await logRows(gateway)).length, 11)
})

t.test('what follows [DONE] goes through, and nothing is held when it does not come', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const { passed, open } = gate()
  upstream.reply({
    headers: ['content-type', 'text/event-stream'],
    body: [delta('a'), 'data: [DONE]\n\n', passed, ': bye\n\n', 'data: 2\n\n']
  })
  const caller = await new RawCaller(t, gateway.origin).send(requestText(chat, [], streamed)).until('[DONE]')
  t.match(await logRows(gateway), [{ success: true }])
  open()
  t.match(await caller.answer(), { body: `${delta('a')}data: [DONE]\n\n: bye\n\ndata: 2\n\n`, complete: true })
})

t.test('STREAM_USAGE=estimate does not touch the request and counts tokens itself', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { STREAM_USAGE: 'estimate' } })
  upstream.reply(events({ model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'one two three' } }] }))
  const odd = '{ "stream":true,"model" :"gpt-4o-mini","seed":1e400,"messages":[{"role":"user","content":"hi"}] }'
  await ask(t, gateway, chat, ['accept-encoding: zstd'], odd)
  t.equal(upstream.requests[0]?.body.toString(), odd)
  t.same(upstream.requests[0]?.headers('accept-encoding'), ['zstd'])
  t.match(await logRows(gateway), [
    { usage_source: 'estimated', input_tokens: /^[1-9]/, output_tokens: /^[1-9]/, success: true }
  ])
})

t.test('a request of which usage is asked is otherwise the caller\'s to the byte', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const odd =
    '  { "stream":true,"model" :"gpt-4o-mini","seed":1e400,"n":1.0,"n":1, "stream_options" : { "x":[ ] }, "messages":[]}\n'
  upstream.reply(events({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } }))
  const answer = await ask(t, gateway, chat, [], odd)
  t.equal(upstream.requests[0]?.body.toString(), odd.replace('{ "x"', '{"include_usage":true, "x"'))
  t.equal(answer.body, 'data: [DONE]\n\n')
  t.match(await logRows(gateway), [
    { usage_source: 'upstream', input_tokens: '1', request_bytes: `${odd.length}`, response_bytes: '14' }
  ])
})
