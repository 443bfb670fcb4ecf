import t from 'tap'
import { StreamUsageExceptions } from '../../src/metering/stream-usage-exceptions.js'
import { gate } from '../helpers/gate.js'
import { startGateway } from '../helpers/gateway.js'
import { type Reply, type UpstreamRequest, events, json, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, logRows, logRowsOnce, requestText } from '../proxy/raw-caller.js'

const HOUR_MS = 60 * 60 * 1000
const chat = 'POST /v1/chat/completions'
const streamed = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'
const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }
const delta = { model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'hi' } }] }
const asks = (request: UpstreamRequest): boolean => request.body.includes('include_usage')
const answer = async (request: UpstreamRequest): Promise<Reply> => {
  await request.received
  return asks(request) ? events({ ...delta, usage: null }, { ...delta, choices: [], usage }) : events(delta)
}

t.test('an exception holds for one endpoint and model, for an hour, and there are never more than a thousand', t => {
  let nowMs = 1_790_000_000_000
  const exceptions = new StreamUsageExceptions(() => nowMs)
  exceptions.add('chat/completions', 'a')
  exceptions.add('completions', null)
  t.equal(exceptions.has('chat/completions', 'a'), true)
  t.equal(exceptions.has('completions', null), true)
  for (const [endpoint, model] of [
    ['chat/completions', 'b'], ['chat/completions', null], ['completions', 'a']
  ] as const) t.equal(exceptions.has(endpoint, model), false)
  nowMs += HOUR_MS - 1
  t.equal(exceptions.has('chat/completions', 'a'), true)
  exceptions.add('chat/completions', 'later')
  nowMs += 1
  t.equal(exceptions.has('chat/completions', 'a'), false)
  t.equal(exceptions.size, 1)
  for (let i = 0; i < 1500; i++) exceptions.add('chat/completions', `m${i}`)
  t.equal(exceptions.size, 1000)
  t.equal(exceptions.has('chat/completions', 'm499'), false)
  t.equal(exceptions.has('chat/completions', 'm500'), true)
  exceptions.add('chat/completions', 'x'.repeat(1000))
  t.equal(exceptions.has('chat/completions', 'x'.repeat(1000)), false)
  t.end()
})

t.test('a 400 or 422 to a request that the gateway added to is asked again without, whatever it says', async t => {
  const upstream = await startUpstream(t)
  const named = json({ error: { message: 'Unknown parameter: \'stream_options\'.', param: 'stream_options' } }, 400)
  const rejections: Reply[] = [
    named,
    { ...named, encoding: 'gzip' },
    { ...named, status: 422, encoding: 'br' },
    json({ detail: 'extra fields not permitted' }, 422),
    { status: 400, headers: ['content-encoding', 'zstd'], body: Buffer.from('no zstd') },
    { status: 400, body: '' },
    { status: 400, headers: ['content-type', 'text/event-stream'], body: ['data: {"error":{"message":"no"}}\n\n'] },
    { status: 400, body: 'x'.repeat(5_000_000) },
    { status: 400, headers: ['content-type', 'text/plain'], body: ['it goes on and on'], ending: 'hang' },
    { raw: 'HTTP/1.1 400 Bad\r\ncontent-length: 20\r\n\r\nbroken off' }
  ]
  for (const [i, rejection] of rejections.entries()) {
    const gateway = await startGateway(t, { upstreamUrl: upstream.url })
    const seen = upstream.requests.length
    upstream.reply(rejection, answer)
    for (let call = 0; call < 2; call++) {
      t.match(await ask(t, gateway, chat, ['accept-encoding: gzip, br'], streamed), {
        status: 200, body: /"hi".*\n\ndata: \[DONE\]/, complete: true
      }, `number ${i}`)
    }
    t.same(upstream.requests.slice(seen).map(asks), [true, false, false])
    t.equal(upstream.requests.at(-1)?.body.toString(), streamed)
    t.match(await logRows(gateway), Array(2).fill({ success: true, status_code: 200, usage_source: 'estimated' }))
    await gateway.close()
  }
  t.equal(await upstream.requests.at(-6)?.closed, 'aborted', 'what nobody waits for is ended')
})

t.test('what fails again without the option is the caller\'s own: it gets the second answer, and nothing is learned', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  let calls = 0
  for (const second of [
    json({ error: { message: 'bad model' } }, 400),
    json({ error: { message: 'busy' } }, 503),
    json({ error: { message: 'slow down' } }, 429),
    { status: 400, body: 'x'.repeat(200_000) }
  ]) {
    upstream.reply(json({ error: { message: 'first' } }, 400), second)
    t.match(await ask(t, gateway, chat, [], streamed), { status: second.status, body: second.body })
    t.match((await logRows(gateway)).at(-1), { status_code: second.status, success: false })
    upstream.reply(answer)
    await ask(t, gateway, chat, [], streamed)
    t.match((await logRows(gateway)).at(-1), { usage_source: 'upstream' })
    calls += 2
  }
  upstream.reply(json({}, 400), { raw: '' })
  t.match(await ask(t, gateway, chat, [], streamed), { status: 502 })
  t.equal((await logRows(gateway)).length, calls + 1, 'one record a call')
})

t.test('a request to which nothing was added is sent once', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply(json({ error: { message: 'no' } }, 400))
  for (const body of [
    streamed.replace('{', '{"stream_options":{"include_usage":true},'), streamed.replace('true', 'false')
  ]) {
    const seen = upstream.requests.length
    t.match(await ask(t, gateway, chat, [], body), { status: 400, body: '{"error":{"message":"no"}}' })
    t.equal(upstream.requests.length, seen + 1)
  }
})

t.test('one model\'s exception is no other\'s, shows in a metric, and ends', async t => {
  const upstream = await startUpstream(t)
  let nowMs = Date.now()
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, now: () => nowMs })
  const old = streamed.replace('gpt-4o-mini', 'old-model')
  upstream.reply(async request => {
    await request.received
    return request.body.includes('old-model') && asks(request)
      ? json({ error: { message: 'no' } }, 400)
      : await answer(request)
  })
  const exceptions = async (): Promise<string | undefined> =>
    /^promptmeter_stream_usage_exceptions (.*)$/m.exec(await (await fetch(`${gateway.origin}/metrics`)).text())?.[1]
  const asked = async (body: string): Promise<boolean[]> => {
    const seen = upstream.requests.length
    t.match(await ask(t, gateway, chat, [], body), { status: 200, complete: true })
    return upstream.requests.slice(seen).map(asks)
  }
  t.equal(await exceptions(), '0')
  t.same(await asked(old), [true, false])
  t.same(await asked(old), [false])
  t.same(await asked(streamed), [true])
  t.match((await logRows(gateway)).at(-1), { usage_source: 'upstream' })
  t.equal(await exceptions(), '1')
  nowMs += HOUR_MS
  t.equal(await exceptions(), '0')
  t.same(await asked(old), [true, false])
})

t.test('a caller that leaves between the two requests is one that left', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const { passed, open } = gate()
  upstream.reply(json({}, 400), { headers: ['content-type', 'text/event-stream'], body: [passed] })
  const caller = new RawCaller(t, gateway.origin).send(requestText(chat, [], streamed))
  const second = await upstream.nth(1)
  caller.socket.destroy()
  t.equal(await second.closed, 'aborted')
  open()
  t.match(await logRowsOnce(gateway, 1), [{ success: false, error_type: 'caller_gone' }])
})
