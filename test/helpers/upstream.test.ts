import { once } from 'node:events'
import { connect } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { gate } from './gate.js'
import { events, json, silence, stalled, startUpstream } from './upstream.js'

async function get (url: string, body?: string): Promise<IncomingMessage> {
  const call = httpRequest(url, { method: body === undefined ? 'GET' : 'POST', agent: false })
  call.end(body)
  const [response] = await once(call, 'response') as [IncomingMessage]
  // A reset behind the head comes to both: the response says so.
  call.on('error', () => undefined)
  return response
}

t.test('headers go out in the order, case and number in which they were written', async t => {
  const upstream = await startUpstream(t)
  upstream.reply({ headers: ['X-B', '1', 'set-cookie', 'a=1', 'Set-Cookie', 'b=2', 'x-a', '2'], body: 'hello' })
  const response = await get(`${upstream.url}/models?x=%20y`)
  t.same(response.rawHeaders.slice(0, 10), [
    'X-B', '1', 'set-cookie', 'a=1', 'Set-Cookie', 'b=2', 'x-a', '2', 'content-length', '5'
  ])
  t.equal(await text(response), 'hello')
  t.equal(upstream.requests[0]?.url, '/v1/models?x=%20y')
  t.equal(await upstream.requests[0]?.closed, 'answered')
})

t.test('each step of a stream is a chunk that arrives before the next is sent', async t => {
  const upstream = await startUpstream(t)
  const { passed, open } = gate()
  upstream.reply({ body: ['first', passed, 'second'], encoding: 'gzip' })
  const response = await get(upstream.url, '{"a":1}')
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(response, 'data')
  t.equal(upstream.requests[0]?.aborted, false)
  open()
  await once(response, 'end')
  t.equal(gunzipSync(Buffer.concat(chunks)).toString(), 'firstsecond')
  t.same(upstream.requests[0]?.json(), { a: 1 })
})

t.test('steps without a pause between them are chunks of their own too', async t => {
  const upstream = await startUpstream(t)
  upstream.reply({ body: ['first', 'second', 'third'] })
  const socket = connect(Number(new URL(upstream.origin).port), '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  t.match(await text(socket), '\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n5\r\nthird\r\n0\r\n\r\n')
})

t.test('scripts are used in turn and the last one stays', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(json({ n: 1 }, 429, ['retry-after', '1']), events({ n: 2 }))
  t.equal((await get(upstream.url)).statusCode, 429)
  for (let i = 0; i < 2; i++) t.equal(await text(await get(upstream.url)), 'data: {"n":2}\n\ndata: [DONE]\n\n')
  t.equal(upstream.connections(), 3)
})

t.test('raw bytes go out as they are, a reset ends the connection as a reset', async t => {
  const upstream = await startUpstream(t)
  const { passed, open } = gate()
  upstream.reply({
    raw: ['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', passed], ending: 'reset'
  }, { raw: 'garbage' })
  const response = await get(upstream.url)
  open()
  await t.rejects(buffer(response), { code: 'ECONNRESET' })
  const socket = connect(Number(new URL(upstream.origin).port), '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  t.equal(await text(socket), 'garbage')
})

t.test('a caller that leaves is seen, whether nothing was sent or half a stream', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(silence, { body: ['one', () => new Promise(() => undefined)] })
  for (const index of [0, 1]) {
    const call = httpRequest(upstream.url, { agent: false })
    call.on('error', () => undefined)
    call.end()
    const request = await upstream.nth(index)
    if (index === 1) await once((await once(call, 'response') as [IncomingMessage])[0], 'data')
    call.destroy()
    t.equal(await request.closed, 'aborted')
    t.equal(request.aborted, true)
  }
})

t.test('a reader who does not read holds the script up', async t => {
  const upstream = await startUpstream(t)
  const piece = Buffer.alloc(1024 * 1024)
  const pieces = 64
  upstream.reply({ body: Array.from({ length: pieces }, () => piece) })
  const response = await get(upstream.url)
  const request = await upstream.nth(0)
  const stalledAt = await stalled(() => request.sentBytes)
  t.ok(stalledAt < pieces * piece.length / 2, `stopped at ${stalledAt}`)
  t.equal((await buffer(response)).length, pieces * piece.length)
})

t.test('a script that does not read holds the sender up', async t => {
  const upstream = await startUpstream(t)
  const body = Buffer.alloc(64 * 1024 * 1024)
  upstream.reply(request => {
    request.pause()
    return json({})
  })
  const call = httpRequest(upstream.url, { method: 'POST', agent: false })
  call.end(body)
  const request = await upstream.nth(0)
  const stalledAt = await stalled(() => call.socket?.bytesWritten ?? 0)
  t.ok(request.receivedBytes < body.length / 2)
  t.ok(stalledAt > 0)
  request.resume()
  t.equal((await request.received).length, body.length)
})
