import t, { type Test } from 'tap'
import { databaseKinds } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { type Reply, events, json, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, logRows, logRowsOnce, statsOf } from './raw-caller.js'

/** No answer overtakes its record: what is asked of the books after it is there. */
const env = { RECORD_WAIT_MS: '60000' }
const chat = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello to everyone."}]}'
const asJson = ['content-type: application/json']
/** 1,000 and 100 tokens of gpt-4o-mini, in USD. */
const COST = '0.000210000000'
const chatUsage = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 }
const tokenUsage = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 }
const completion = json({ model: 'gpt-4o-mini-2024-07-18', choices: [], usage: chatUsage })

const SPELLED = [
  '/v1/chat/completions/', '/v1//chat/completions', '/v1/chat//completions//', '/v1/%63hat/completions', '/v1/chat%2Fcompletions', '/v1/%2563hat/completions',
  '/v1/./chat/x/../completions', '/v1/chat;v=1/completions', '/v1/chat\\completions', '/v1/Chat/Completions', '/v1/chat/completions#x', '/v1/chat/completions/?a=b/../..'
]
/** What stands behind `/v1` of these is the path of the plain one. */
const PREFIXED = [
  '//v1/chat/completions', '/%761/chat/completions', '/./v1/chat/completions', '/x/../v1/chat/completions', '/prompt-types/typed//v1/chat/completions',
  '/prompt-types/typed/v%31/chat/completions', 'http://gateway//v1/chat/completions'
]

for (const kind of databaseKinds) {
  t.test(`an endpoint costs the same however its path is spelled, and its budget stops it (${kind})`, async t => {
    const upstream = await startUpstream(t)
    upstream.reply(completion)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind, env })
    for (const path of [...SPELLED, ...PREFIXED]) {
      const seen = upstream.requests.length
      t.equal((await ask(t, gateway, `POST ${path}`, asJson, chat)).status, 200, path)
      t.equal(
        upstream.requests[seen]?.url, PREFIXED.includes(path) ? '/v1/chat/completions' : path, 'forwarded as it came'
      )
    }
    const rows = await logRows(gateway)
    t.same(
      rows.map(({ endpoint, cost }) => `${String(endpoint)} ${String(cost)}`),
      Array(SPELLED.length + PREFIXED.length).fill(`chat/completions ${COST}`)
    )
    t.same(rows.filter(row => row['prompt_type'] === 'typed').length, 2)

    t.equal(
      (await gateway.admin('POST', '/budgets', {
        name: 'all', period: 'total', limit_usd: 0.0001, action: 'block'
      })).status,
      201
    )
    const seen = upstream.requests.length
    for (const path of [...SPELLED, ...PREFIXED]) {
      t.equal(
        (await ask(t, gateway, `POST ${path}`, asJson, chat)).status, 429, path
      )
    }
    t.equal(upstream.requests.length, seen)
  })
}

t.test('a strict budget holds back what a path spelled otherwise may cost', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(completion)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  t.equal(
    (await gateway.admin('POST', '/budgets', {
      name: 'all', period: 'total', limit_usd: 0.0001, action: 'block', strict: true
    })).status,
    201
  )
  for (const path of [...SPELLED, '/v1/deployments/x/chat/completions', '/v1/not/known']) {
    t.equal(
      (await ask(t, gateway, `POST ${path}`, asJson, chat)).status, 429, path
    )
  }
  t.equal(upstream.requests.length, 0)
})

t.test('usage in the answer to any creating request is metered, in whatever shape', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const model = 'gpt-4o-mini'
  const answers: Array<readonly [string, Reply]> = [
    ['POST /v1/responses/compact', json({ object: 'response.compaction', model, usage: tokenUsage })],
    ['POST /v1/deployments/x/chat/completions?api-version=1', json({ model, usage: chatUsage })],
    ['POST /v1/engines/x/completions', json({ model, usage: chatUsage })],
    ['POST /v1/images/generations', json({ created: 1, data: [], usage: tokenUsage })],
    ['POST /v1/audio/transcriptions', json({ text: 'Hello', usage: { type: 'tokens', ...tokenUsage } })],
    [
      'POST /v1/audio/transcriptions',
      events({ type: 'transcript.text.delta', delta: 'Hello' }, {
        type: 'transcript.text.done', text: 'Hello', usage: tokenUsage
      })
    ],
    [
      'POST /v1/images/edits',
      events({ type: 'image_edit.partial_image' }, { type: 'image_edit.completed', usage: tokenUsage })
    ],
    [
      'POST /v1/beta/responses',
      events({ type: 'response.created', response: { model } }, {
        type: 'response.completed', response: { model, usage: tokenUsage }
      })
    ],
    [
      'POST /v1/threads/thread_1/runs',
      events({ object: 'thread.run', model, usage: null }, { object: 'thread.run', model, usage: chatUsage }, '[DONE]')
    ],
    ['PUT /v1/anything', json({ model, usage: chatUsage })],
    ['POST /v1', json({ model, usage: chatUsage })]
  ]
  for (const [line, reply] of answers) {
    upstream.reply(reply)
    t.equal((await ask(t, gateway, line, asJson, chat)).status, 200, line)
  }
  const rows = await logRowsOnce(gateway, answers.length)
  for (const [index, [line]] of answers.entries()) {
    t.match(
      rows[index], { cost: COST, cost_reason: null, usage_source: 'upstream', success: true }, line
    )
  }
  t.match(await statsOf(gateway, 'untyped'), {
    total_calls: String(answers.length), total_input_tokens: String(1000 * answers.length)
  })
})

t.test('a compaction without usage is estimated like a response', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(json({ object: 'response.compaction', model: 'gpt-4o-mini', output: [] }))
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  await ask(
    t,
    gateway,
    'POST /v1/responses/compact/',
    asJson,
    '{"model":"gpt-4o-mini","input":"A long talk about many things."}'
  )
  const [row] = await logRowsOnce(gateway, 1)
  t.match(row, { usage_source: 'estimated', endpoint: 'responses/compact', cost_reason: null })
  t.ok(Number(row?.['input_tokens']) > 5)
})

t.test('usage that cannot be priced leaves a call without a cost that says so; without usage there is nothing to meter', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const reasons = async (...replies: Reply[]): Promise<unknown[]> => {
    const before = (await logRows(gateway)).length
    for (const reply of replies) {
      upstream.reply(reply)
      await ask(t, gateway, 'POST /v1/not/known', asJson, '{}')
    }
    return (await logRowsOnce(gateway, before + replies.length)).slice(before).map(row => row['cost_reason'])
  }
  t.same(await reasons(
    json({ usage: { type: 'duration', seconds: 12 } }), json({ model: 'nobody-knows', usage: chatUsage }),
    json({ usage: null }), json({
      usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 }
    }), json({ id: 'x' }), { body: 'audio' }
  ), ['no_usage', 'unknown_model', 'not_metered', 'not_metered', 'not_metered', 'not_metered'])
  t.match(await statsOf(gateway, 'untyped'), { total_calls: '6', unpriced_calls: '2', failed_calls: '0' })
})

/** What comes of a request line whose bytes no client library would send. */
async function sendRaw (t: Test, gateway: TestGateway, target: string, key: string): Promise<string> {
  const caller = new RawCaller(t, gateway.origin)
  caller.send(`GET ${target} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n\r\n`)
  await caller.ended
  return caller.text
}

t.test('no caller leaves the folder of UPSTREAM_BASE_URL', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, {
    upstreamUrl: `${upstream.origin}/tenant-a/openai/v1`,
    env: { ...env, UPSTREAM_API_KEY: 'sk-held-by-the-gateway-0000000000' }
  })
  const { key } = (await gateway.admin('POST', '/keys', { name: 'paths' })).body as { key: string }
  for (const target of [
    '/v1/../../../tenant-b/x', '/v1/models/../../../../tenant-b', '/v1/..', '/v1/../v1/models', '/v1/%2e%2e/%2e%2e/x', '/v1/.%2E/x', '/v1/..%2f..%2fx', '/v1/%2e%2e%5cx', '/v1/..\\x',
    '/v1/..;/x', '/v1/..;a=b/x', '/v1/%252e%252e/x', '/v1/%252e%252e%252fx', '/v1//../x', '/v1/models#/../../x', '/v1/..%00/x', '/v1/..%3Fx',
    'http://gateway/v1/../x', '//v1/../x', '/prompt-types/a/v1/../x', '/prompt-types/a//v1/a/../../x', '/v1/../admin/api/keys', '/v1/../healthz'
  ]) {
    const text = await sendRaw(t, gateway, target, key)
    t.match(text, /^HTTP\/1\.1 400 /, target)
    t.match(text, '"type":"invalid_request_error","param":null,"code":"invalid_path"')
  }
  t.equal(upstream.requests.length, 0)
  t.same(await logRows(gateway), [], 'and none of it is in the books')

  const inside = [
    '/models', '/a/../models', '/models/..', '/a/%2e%2e/models', '/models?next=/../../x', '/files/a..b', '/...',
    '/a%2fb/..', '/fine_tuning/jobs/ft:gpt-4.1::x'
  ]
  for (const path of inside) t.match(await sendRaw(t, gateway, `/v1${path}`, key), /^HTTP\/1\.1 200 /, path)
  t.same(
    upstream.requests.map(({ url }) => url), inside.map(path => `/tenant-a/openai/v1${path}`), 'forwarded as they came'
  )
})
