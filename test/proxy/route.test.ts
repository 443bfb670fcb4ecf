import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createPricing } from '../../src/pricing/pricing.js'
import { BodyRoom } from '../../src/proxy/body-room.js'
import { BudgetGate } from '../../src/policy/budget-gate.js'
import { Policy } from '../../src/policy/policy.js'
import { type ProxyDeps, createProxyRoute } from '../../src/proxy/route.js'
import { StreamUsageExceptions } from '../../src/metering/stream-usage-exceptions.js'
import { createTokenizer } from '../../src/metering/tokenizer.js'
import { createUpstream } from '../../src/proxy/upstream.js'
import type { CallRecord } from '../../src/recording/call-record.js'
import { silentLog } from '../helpers/database.js'
import { type Upstream, type UpstreamRequest, events, json, startUpstream } from '../helpers/upstream.js'

/** The route on a bare server, its records in a list. */
async function startRoute (
  t: Test, upstream: Upstream, changes: Partial<ProxyDeps> = {}
): Promise<{ url: string, records: CallRecord[] }> {
  const records: CallRecord[] = []
  const tokenizer = createTokenizer()
  const backend = createUpstream(new URL(upstream.url), 5000)
  const route = createProxyRoute({
    provider: 'openai',
    pricing: createPricing({ provider: 'openai' }),
    tokenizer,
    payloadMaxBytes: 65536,
    now: Date.now,
    policy: new Policy({
      load: () => Promise.reject(new Error('not asked')),
      readPulse: () => Promise.reject(new Error('not asked')),
      kept: null,
      keep: () => Promise.resolve(),
      maxPromptTypes: 10,
      log: silentLog
    }),
    budgets: new BudgetGate(Date.now),
    upstream: backend,
    recorder: { expect: () => {}, record: call => { records.push(call.record); return Promise.resolve() } },
    upstreamApiKey: null,
    cors: null,
    promptTypeRequired: false,
    upstreamTimeoutMs: 5000,
    streamUsage: 'inject',
    streamUsageExceptions: new StreamUsageExceptions(Date.now),
    maxBodyBytes: 1_000_000,
    bodyRoom: new BodyRoom(10_000_000),
    log: silentLog,
    ...changes
  })
  const server = createServer((req, res) => { void route(req, res, (req.url ?? '').slice('/v1'.length), null) })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await Promise.all([backend.close(), tokenizer.close()])
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, records }
}

const post = async (url: string, body: object): Promise<{ status: number, text: string }> => {
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  return { status: response.status, text: await response.text() }
}

t.test('a call whose price cannot be worked out is answered and counted all the same', async t => {
  const upstream = await startUpstream(t)
  const answer = { model: 'gpt-4o-mini', usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }
  upstream.reply(json(answer))
  const { url, records } = await startRoute(t, upstream, {
    pricing: { price: () => { throw new Error('a fault in the price table') } }
  })

  const { status, text } = await post(url, { model: 'gpt-4o-mini', messages: [] })
  t.equal(status, 200)
  t.same(JSON.parse(text), answer)
  t.match(records, [
    {
      promptType: 'untyped',
      statusCode: 200,
      success: true,
      costPicoUsd: null,
      costReason: 'no_usage',
      requestModel: 'gpt-4o-mini'
    }
  ])
  t.equal(records.length, 1)
})

t.test('a caller\'s own mistake in stream_options does not stop the gateway from asking for others', async t => {
  const upstream = await startUpstream(t)
  const asked = (request: UpstreamRequest): boolean => request.body.includes('include_usage')
  upstream.reply(async request => (await request.received).includes('"foo"')
    ? json({ error: { message: 'Unknown parameter: stream_options.foo', type: 'invalid_request_error' } }, 400)
    : events({ model: 'gpt-4o-mini', choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } }))
  const { url, records } = await startRoute(t, upstream)

  t.match(await post(url, {
    model: 'gpt-4o-mini', stream: true, stream_options: { foo: 1 }, messages: []
  }), { status: 400, text: 'stream_options.foo' })
  t.same(
    upstream.requests.map(asked), [true, false], 'asked again as the caller wrote it: the refusal is the caller\'s own'
  )
  t.equal((await post(url, { model: 'gpt-4o-mini', stream: true, messages: [] })).status, 200)
  t.equal(upstream.requests[2] !== undefined && asked(upstream.requests[2]), true)
  t.match(records.map(record => [record.statusCode, record.usageSource]), [[400, 'none'], [200, 'upstream']])
})
