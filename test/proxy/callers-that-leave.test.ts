import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { gate } from '../helpers/gate.js'
import { startGateway } from '../helpers/gateway.js'
import { events, json, silence, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, logRows, logRowsOnce, requestText, statsOf } from './raw-caller.js'

const chat = 'POST /v1/chat/completions'
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = plain.replace('{', '{"stream":true,')
const delta = (
  content: string
): string => `data: {"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`
const gone = { success: false, error_type: 'caller_gone' }
const leave = {
  close: (caller: RawCaller) => caller.socket.destroy(), reset: (caller: RawCaller) => caller.socket.resetAndDestroy()
}

for (const how of ['close', 'reset'] as const) {
  t.test(`a caller that leaves before the answer (${how}) stops the upstream`, async t => {
    const upstream = await startUpstream(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url })
    upstream.reply(silence)
    for (const [i, body] of [plain, streamed].entries()) {
      const caller = new RawCaller(t, gateway.origin).send(requestText(chat, [], body))
      const request = await upstream.nth(i)
      await request.received
      leave[how](caller)
      t.equal(await request.closed, 'aborted')
      t.match((await logRowsOnce(gateway, i + 1)).at(-1), {
        ...gone, status_code: 499, usage_source: 'none', cost: null
      })
    }
    upstream.reply(json({}))
    t.equal((await ask(t, gateway, chat, [], plain)).status, 200)
  })

  t.test(`a caller that leaves in mid-stream (${how}) stops the upstream, and what it got is in the books`, async t => {
    const upstream = await startUpstream(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url })
    for (const [i, encoding] of [undefined, 'gzip' as const].entries()) {
      const reply = {
        headers: ['content-type', 'text/event-stream'], body: [delta('hello world'), () => new Promise(() => undefined)]
      }
      upstream.reply(encoding === undefined ? reply : { ...reply, encoding })
      const caller = await new RawCaller(t, gateway.origin).send(requestText(chat, ['x-prompt-type: left'], streamed))
        .until('\r\n\r\n')
      while (!/\r\n\r\n./s.test(caller.text)) await once(caller.socket, 'data')
      leave[how](caller)
      t.equal(await upstream.requests[i]?.closed, 'aborted')
      t.match((await logRowsOnce(gateway, i + 1)).at(-1), {
        ...gone, status_code: 200, usage_source: 'estimated', output_tokens: /^[1-9]/
      })
      t.match((await statsOf(gateway, 'left'))?.['last_response'], /hello world/)
    }
  })
}

t.test('a caller that leaves in the middle of its upload is recorded, and what is under way upstream stops', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  new RawCaller(t, gateway.origin).socket.end(`${chat} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n${plain}`)
  t.match(await logRowsOnce(gateway, 1), [{ ...gone, status_code: 499 }])
  t.equal(upstream.requests.length, 0)

  for (const framing of ['content-length: 1000', 'transfer-encoding: chunked']) {
    const seen = upstream.requests.length
    const caller = new RawCaller(
      t, gateway.origin
    ).send(
      `POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n${framing}\r\n\r\n5\r\nhello\r\n`
    )
    const request = await upstream.nth(seen)
    caller.socket.destroy()
    t.equal(await request.closed, 'aborted')
    t.match((await logRowsOnce(gateway, seen + 2)).at(-1), { ...gone, status_code: 499, endpoint: 'files' })
  }
})

t.test('a caller that leaves while its call waits for a connection is recorded, and nothing is sent', async t => {
  // A server that never answers the beginning of TLS: the connection is under way for good.
  let bytes = 0
  const server = createServer(socket => {
    socket.on('data', (chunk: Buffer) => { bytes += chunk.length }).on('error', () => undefined)
    t.teardown(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const gateway = await startGateway(t, {
    upstreamUrl: `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  })
  const connected = once(server, 'connection')
  const caller = new RawCaller(t, gateway.origin).send(requestText(chat, ['authorization: Bearer secret'], plain))
  await connected
  caller.socket.destroy()
  t.match(await logRowsOnce(gateway, 1), [{ ...gone, status_code: 499 }])
  t.ok(bytes < 2000, 'no more than the beginning of TLS')
})

t.test('callers of a pipelined connection that leave are all seen', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply({
    headers: ['content-type', 'text/event-stream'], body: [delta('a'), () => new Promise(() => undefined)]
  })
  const caller = new RawCaller(t, gateway.origin).send(requestText(chat, [], streamed).repeat(3))
  const requests = await Promise.all([0, 1, 2].map(i => upstream.nth(i)))
  await caller.until(delta('a'))
  caller.socket.destroy()
  t.same(await Promise.all(requests.map(request => request.closed)), ['aborted', 'aborted', 'aborted'])
  t.match(await logRowsOnce(gateway, 3), [gone, gone, gone])
})

t.test('pipelined calls are answered in their order, and one that breaks off ends the connection behind the others', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const { passed, open } = gate()
  upstream.reply(
    { headers: ['content-type', 'text/event-stream'], body: [delta('first'), passed] },
    {
      raw: ['HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n6\r\nsecond\r\n']
    })
  const caller = new RawCaller(t, gateway.origin).send(requestText(chat, [], streamed))
  await caller.until('first')
  caller.send(requestText(chat, [], streamed))
  await logRowsOnce(gateway, 1)
  open()
  await caller.ended
  t.match(caller.text, /first[^]*\r\n0\r\n\r\nHTTP\/1\.1 200 OK[^]*second\r\n$/)
  t.match(await logRowsOnce(gateway, 2), [{ error_type: 'upstream_aborted' }, { success: true }])
})

t.test('a caller that leaves once it has the end of its stream has had its answer', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const reply = events({
    model: 'gpt-4o-mini', choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  })
  upstream.reply({ ...reply, body: [...reply.body as string[], () => new Promise(() => undefined)] })
  const caller = await new RawCaller(t, gateway.origin).send(requestText(chat, [], streamed)).until('[DONE]')
  t.match(await logRows(gateway), [{ success: true, usage_source: 'upstream' }])
  caller.socket.destroy()
  t.equal(await upstream.requests[0]?.closed, 'aborted')
  t.equal((await logRows(gateway)).length, 1)
})
