import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { ConnectionLimits } from '../../src/proxy/connection-limits.js'
import { createProxyServer } from '../../src/proxy/server.js'
import { ADMIN, type TestGateway, startGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'
import { type Upstream, json, startUpstream } from '../helpers/upstream.js'
import { RawCaller, logRows, logRowsOnce, requestText } from './raw-caller.js'

const short: Partial<ConnectionLimits> = {
  headMs: 300, bodyGapMs: 300, writeGapMs: 300, keepAliveMs: 300, lookEveryMs: 50
}
const timedOut = { error: { code: 'request_timeout', type: 'invalid_request_error', param: null, message: /in time/ } }
const login = `authorization: Basic ${Buffer.from(`${ADMIN.username}:${ADMIN.password}`).toString('base64')}`

async function scene (
  t: Test, connectionLimits: Partial<ConnectionLimits>
): Promise<{ upstream: Upstream, gateway: TestGateway }> {
  const upstream = await startUpstream(t)
  return { upstream, gateway: await startGateway(t, { upstreamUrl: upstream.url, connectionLimits }) }
}

const head = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'host: a', ...headers, '', ''].join('\r\n')

t.test('a head that does not come to its end is given up, wherever it stops', async t => {
  const { gateway } = await scene(t, short)
  const beginnings = [
    '', '\r\n', 'P', 'POST /v1/chat', 'GET /v1/models HTTP/1.1\r\n', 'GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Half: ',
    'GET /admin HTTP/1.1\r\nHost: a\r\n'
  ]
  await Promise.all(beginnings.map(async beginning => {
    const answer = await new RawCaller(t, gateway.origin).send(beginning).answer()
    t.equal(answer.status, 408, JSON.stringify(beginning))
    t.match(JSON.parse(answer.body), timedOut)
  }))
  t.equal((await logRows(gateway)).length, 0)
})

t.test('a head that goes on byte by byte is given up too', async t => {
  const { gateway } = await scene(t, short)
  const caller = new RawCaller(t, gateway.origin).send(requestText('GET /v1/models').slice(0, -2))
  const drip = setInterval(() => caller.send('X-A: b\r\n'), 20)
  t.teardown(() => clearInterval(drip))
  caller.socket.on('error', () => undefined)
  t.equal((await caller.answer()).status, 408)
  await caller.ended
})

t.test('a connection that was used ends, if what follows is nothing, half a head, or empty lines', async t => {
  const { gateway } = await scene(t, short)
  await Promise.all(['', 'GET /v1/mo', '\r\n'].map(async rest => {
    const caller = new RawCaller(t, gateway.origin).send(requestText('GET /v1/models'))
    t.equal((await caller.answer()).status, 200)
    const drip = setInterval(() => caller.send(rest === '\r\n' ? rest : ''), 20)
    t.teardown(() => clearInterval(drip))
    caller.send(rest)
    await caller.ended
  }))
})

t.test('a caller that does not close a connection which was given up does not keep it', async t => {
  const { gateway } = await scene(t, short)
  const caller = new RawCaller(t, gateway.origin) // It stays half open.
  await caller.answer()
  const open = async (): Promise<number> => await new Promise(resolve =>
    gateway.server.getConnections((_error, count) => resolve(count)))
  await until(async () => await open() === 0)
  t.pass('closed')
})

const bodies: Array<[name: string, beginning: string]> = [
  [
    'JSON by length',
    head('POST /v1/chat/completions', 'content-type: application/json', 'content-length: 100') + '{"model":"gpt-4o",'
  ],
  [
    'JSON in chunks',
    head('POST /v1/chat/completions', 'content-type: application/json', 'transfer-encoding: chunked') + '5\r\n{"mod'
  ],
  ['JSON, not a byte', head('POST /v1/responses', 'content-type: application/json', 'content-length: 100')],
  [
    'JSON that was asked for',
    head('POST /v1/responses', 'content-type: application/json', 'content-length: 100', 'expect: 100-continue')
  ],
  ['a file', head('POST /v1/files', 'content-type: application/octet-stream', 'content-length: 100') + 'some'],
  [
    'a file in chunks',
    head('POST /v1/files', 'content-type: application/octet-stream', 'transfer-encoding: chunked') + '4\r\nsome\r\n'
  ]
]

for (const [name, beginning] of bodies) {
  t.test(`a body that stalls is given up, with 408 and a record: ${name}`, async t => {
    const { gateway, upstream } = await scene(t, short)
    const caller = new RawCaller(t, gateway.origin).send(beginning)
    const answer = await caller.answer()
    t.equal(answer.status, 408)
    t.match(JSON.parse(answer.body), timedOut)
    t.match(await logRowsOnce(gateway, 1), [{ status_code: 408, success: false, error_type: 'request_timeout' }])
    await caller.ended
    for (const request of upstream.requests) t.equal(await request.closed, 'aborted')
  })
}

t.test('an operator’s body that stalls is given up, with 408', async t => {
  const { gateway } = await scene(t, short)
  const caller = new RawCaller(t, gateway.origin)
    .send(head('POST /admin/api/keys', login, 'content-type: application/json', 'content-length: 100') + '{"name"')
  const answer = await caller.answer()
  t.equal(answer.status, 408)
  t.match(JSON.parse(answer.body), timedOut)
  await caller.ended
})

t.test('a body that nobody reads any more ends its connection when it stalls', async t => {
  const { gateway } = await scene(t, short)
  for (const line of ['POST /nowhere', 'POST /admin/api/keys', 'POST /prompt-types/%20/v1/responses']) {
    const caller = new RawCaller(t, gateway.origin).send(
      head(line, 'content-type: text/plain', 'content-length: 100') + 'some'
    )
    await caller.answer()
    await caller.ended
  }
})

t.test('an upload that is slow but alive goes on', async t => {
  const { gateway } = await scene(t, { bodyGapMs: 3000, lookEveryMs: 20 })
  const body = JSON.stringify({ model: 'gpt-4o', input: 'x'.repeat(60) })
  const uploads = ['/v1/responses', '/v1/files'].map(async path => {
    const caller = new RawCaller(t, gateway.origin).send(
      head(`POST ${path}`, 'content-type: application/json', `content-length: ${body.length}`)
    )
    for (const byte of body) {
      await sleep(60)
      caller.send(byte)
    }
    t.equal((await caller.answer()).status, 200)
  })
  await Promise.all(uploads)
})

t.test('an upload that the upstream does not read is not the caller’s fault', async t => {
  const { gateway, upstream } = await scene(t, short)
  upstream.reply(request => {
    request.pause()
    return json({})
  })
  const body = 'x'.repeat(30_000_000)
  const caller = new RawCaller(t, gateway.origin)
    .send(head('POST /v1/files', 'content-type: application/octet-stream', `content-length: ${body.length}`)).send(body)
  const request = await upstream.nth(0)
  await sleep(1000)
  request.resume()
  t.equal((await caller.answer()).status, 200)
})

t.test('a stream that is silent for longer than any of these limits goes on', async t => {
  const { gateway, upstream } = await scene(t, short)
  upstream.reply({
    headers: ['content-type', 'text/event-stream'],
    body: ['data: {"choices":[]}\n\n', async () => await sleep(1500), 'data: [DONE]\n\n']
  })
  const caller = new RawCaller(t, gateway.origin).send(
    requestText('POST /v1/chat/completions', ['content-type: application/json'], '{"model":"gpt-4o","stream":true}')
  )
  const answer = await caller.answer()
  t.ok(answer.complete)
  t.match(answer.body, '[DONE]')
})

t.test('a caller that never reads its answer does not hold its call', async t => {
  const { gateway, upstream } = await scene(t, short)
  const piece = Buffer.alloc(1_000_000, 'x')
  upstream.reply({
    headers: ['content-type', 'application/octet-stream'], body: Array.from({ length: 100 }, () => piece)
  })
  const caller = new RawCaller(t, gateway.origin)
  caller.socket.pause()
  caller.send(requestText('POST /v1/audio/speech', ['content-type: application/json'], '{"model":"tts-1"}'))
  t.match(await logRowsOnce(gateway, 1), [{ success: false, error_type: 'caller_gone' }])
  t.equal(await (await upstream.nth(0)).closed, 'aborted')
})

t.test('a caller that reads slowly gets all of an answer that was written at once', async t => {
  const body = Buffer.alloc(40_000_000, 'x')
  const server = createProxyServer({
    route: () => Promise.resolve(),
    others: (_req, res) => { res.end(body) },
    log: pino({ level: 'silent' }),
    limits: { writeGapMs: 1000, lookEveryMs: 50 }
  })
  t.teardown(() => server.close())
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () => {
    socket.write(head('GET /', 'connection: close'))
  })
  let sizeBytes = 0
  const startMs = performance.now()
  const reading = setInterval(
    () => { sizeBytes += (socket.read(256 * 1024) as Buffer | null ?? socket.read() as Buffer | null)?.length ?? 0 }, 20
  )
  t.teardown(() => clearInterval(reading))
  socket.on('readable', () => {})
  await once(socket, 'end')
  t.ok(performance.now() - startMs > 2000, 'it took longer than a gap may be')
  t.ok(sizeBytes > body.length, `${sizeBytes} bytes with the head`)
  socket.end()
})

t.test('of the requests that are pipelined on a connection, so many are begun at once, and all are answered in turn', async t => {
  const { gateway, upstream } = await scene(t, { pipelined: 4 })
  let open = 0
  let most = 0
  upstream.reply(async request => {
    most = Math.max(most, ++open)
    await sleep(2)
    open--
    return json({ url: request.url })
  })
  const count = 3000
  const caller = new RawCaller(t, gateway.origin)
  for (let n = 0; n < count; n++) caller.send(requestText(`GET /v1/models/${n}`))
  caller.send(requestText('POST /v1/files', ['content-type: text/plain'], 'last'))
  await caller.until('"url":"/v1/files"')
  const urls = [...caller.text.matchAll(/"url":"([^"]+)"/g)].map(match => match[1])
  t.same(urls, [...Array.from({ length: count }, (_, n) => `/v1/models/${n}`), '/v1/files'])
  t.ok(most <= 5, `${most} were open at once`)
})
