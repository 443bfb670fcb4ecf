import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'
import { json, stalled, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, logRows, requestText, statsOf } from './raw-caller.js'

const files = 'POST /v1/files'
const chat = 'POST /v1/chat/completions'
const tooLarge = {
  error: { code: 'request_too_large', type: 'invalid_request_error', param: null, message: /MAX_BODY_BYTES/ }
}
const head = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'host: a', ...headers, '', ''].join('\r\n')
const chunked = (text: string, size = text.length): string =>
  (text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []).map(part => `${part.length.toString(16)}\r\n${part}\r\n`)
    .join('') + '0\r\n\r\n'

t.test('JSON, multipart and binary bodies arrive as they were sent, by length or in chunks', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const binary = randomBytes(300_000).toString('latin1')
  const multipart = `--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n${binary}\r\n--b--\r\n`
  for (const [line, type, body] of [
    [files, 'multipart/form-data; boundary=b', multipart],
    ['PUT /v1/uploads/1', 'application/octet-stream', binary],
    ['POST /v1/audio/transcriptions', 'audio/wav', binary],
    ['POST /v1/assistants', 'application/json', '{"model":"gpt-4o", "x":1.0}'],
    [chat, 'text/plain', '{"model":"gpt-4o" , "stream":false}'],
    [chat, 'application/json', '\xef\xbb\xbf not JSON \xff\0'],
    [chat, 'application/json; encoding=gzip', binary]
  ] as const) {
    for (const framing of ['length', 'chunks']) {
      const seen = upstream.requests.length
      const caller = new RawCaller(t, gateway.origin).send(framing === 'length'
        ? head(line, `content-type: ${type}`, `content-length: ${body.length}`) + body
        : head(line, `content-type: ${type}`, 'transfer-encoding: chunked') + chunked(body, 50_000))
      t.equal((await caller.answer()).status, 200, `${line} ${type} ${framing}`)
      const request = upstream.requests[seen]
      t.ok((await request?.received)?.toString('latin1') === body)
      t.equal((await logRows(gateway)).at(-1)?.['request_bytes'], `${body.length}`)
    }
  }
})

t.test('an upload streams through: upstream has its beginning before the caller has sent its end', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const caller = new RawCaller(t, gateway.origin).send(
    head('POST /v1/audio/transcriptions', 'content-type: audio/wav', 'content-length: 10') + 'hello'
  )
  const request = await upstream.nth(0)
  await until(() => request.receivedBytes >= 5)
  caller.send('world')
  t.equal((await caller.answer()).status, 200)
  t.equal(request.body.toString(), 'helloworld')
  t.match((await statsOf(gateway, 'untyped'))?.['last_prompt'], /^\[elided audio\/wav, 10 bytes/)
})

t.test('an upstream that does not read holds the upload', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply(request => {
    request.pause()
    return json({})
  })
  const body = Buffer.alloc(60 * 1024 * 1024, 'a')
  const caller = new RawCaller(t, gateway.origin).send(
    head(files, 'content-type: audio/wav', `content-length: ${body.length}`)
  )
  let taken = 0
  const sent = (async () => {
    for (let at = 0; at < body.length; at += 65_536) {
      const piece = body.subarray(at, at + 65_536)
      if (!caller.socket.write(piece)) await once(caller.socket, 'drain')
      taken += piece.length
    }
  })()
  const request = await upstream.nth(0)
  const stalledAt = await stalled(() => taken)
  t.ok(stalledAt < body.length / 2, `stalled at ${stalledAt}`)
  request.resume()
  await sent
  t.equal((await caller.answer()).status, 200)
  t.equal((await request.received).length, body.length)
})

t.test('a body over MAX_BODY_BYTES gets 413, which its caller can read, and a record', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { MAX_BODY_BYTES: '100000' } })
  const body = 'x'.repeat(3_000_000)
  const calls = [chat, files].flatMap(line => [
    head(line, `content-length: ${body.length}`) + body,
    head(line, 'transfer-encoding: chunked') + chunked(body, 10_000)
  ])
  for (const bytes of calls) {
    const caller = new RawCaller(t, gateway.origin).send(bytes)
    const answer = await caller.answer()
    t.equal(answer.status, 413, bytes.slice(0, 80))
    t.match(JSON.parse(answer.body), tooLarge)
    t.match((await logRows(gateway)).at(-1), { status_code: 413, success: false, error_type: 'request_too_large' })
    caller.send(requestText('GET /v1/after'))
    await caller.until('HTTP/1.1 200 OK')
  }
  t.equal((await ask(t, gateway, chat, [], 'x'.repeat(100_000))).status, 200)
  t.same(upstream.requests.filter(request => request.url === '/v1/chat/completions').length, 1)
  for (const request of upstream.requests) t.ok(request.receivedBytes <= 100_000)
  t.equal(gateway.logged.filter(line => Number(line['level']) >= 50).length, 0)
})

t.test('an upload that is too large in its first packet is rejected, and the next call goes on', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { MAX_BODY_BYTES: '1024' } })
  const upload = head(
    'POST /v1/audio/transcriptions', 'content-type: multipart/form-data; boundary=b', 'transfer-encoding: chunked'
  )
  const answer = await new RawCaller(t, gateway.origin).send(upload + chunked('x'.repeat(4000))).answer()
  t.equal(answer.status, 413)
  t.match(await logRows(gateway), [{ status_code: '413', error_type: 'request_too_large' }])
  t.equal((await ask(t, gateway, chat, [], '{"model":"gpt-4o"}')).status, 200)
})

t.test('Expect: 100-continue is answered once the body is wanted, and not where it is not', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { MAX_BODY_BYTES: '100000' } })
  for (const line of [chat, files]) {
    const caller = await new RawCaller(t, gateway.origin).send(head(line, 'Expect: 100-Continue', 'content-length: 2'))
      .until('HTTP/1.1 100 Continue\r\n\r\n')
    t.equal((await caller.send('{}').answer()).status, 200)
    t.same(upstream.requests.at(-1)?.headers('expect'), [])
    t.equal(upstream.requests.at(-1)?.body.toString(), '{}')
  }
  for (const [status, line, headers] of [
    [413, chat, ['content-length: 200000']],
    [413, files, ['content-length: 200000']],
    [400, chat, ['x-prompt-type: no no', 'content-length: 2']]
  ] as const) {
    const caller = new RawCaller(t, gateway.origin).send(head(line, 'expect: 100-continue', ...headers))
    t.equal((await caller.answer()).status, status)
    t.equal(await caller.ended, 'end')
    t.notMatch(caller.text, /100 Continue/)
  }
  t.equal(upstream.requests.length, 2)
  const admin = new RawCaller(t, gateway.origin).send(
    head('PATCH /admin/api/settings', 'expect: 100-continue', 'content-length: 2')
  )
  await admin.until('100 Continue')
})

t.test('an upstream that answers before it has read the upload ends it there', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply({ ...json({ error: { message: 'no' } }, 403), at: 'headers' })
  const caller = new RawCaller(t, gateway.origin).send(
    head(files, 'content-type: audio/wav', 'transfer-encoding: chunked') + '5\r\nhello\r\n'
  )
  t.equal((await caller.answer()).status, 403)
  t.match(await logRows(gateway), [{ status_code: 403, endpoint: 'files' }])
  caller.send(chunked('x'.repeat(200_000), 10_000) + requestText('GET /v1/after'))
  upstream.reply(json({ after: true }))
  await caller.until('"after"')
})
