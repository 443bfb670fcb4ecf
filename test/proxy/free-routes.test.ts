import t from 'tap'
import { databaseKinds } from '../helpers/database.js'
import { startGateway } from '../helpers/gateway.js'
import { type UpstreamRequest, json, startUpstream } from '../helpers/upstream.js'
import { ask, logRows, logRowsOnce, statsOf } from './raw-caller.js'

/** No answer overtakes its record: what is asked of the books after it is there. */
const env = { RECORD_WAIT_MS: '60000' }
const chat = '{"model":"gpt-4o-mini","messages":[]}'
/** Costs 0.15 USD. */
const answer = {
  id: 'resp_1',
  model: 'gpt-4o-mini',
  status: 'completed',
  choices: [],
  output: [],
  usage: { prompt_tokens: 1_000_000, completion_tokens: 0, total_tokens: 1_000_000 }
}

/** Some of them answer with the usage of what they tell of. */
const FREE = [
  'GET /v1/models', 'GET /v1/models/gpt-4o', 'GET /v1/responses/resp_1', 'GET /v1/responses/resp_1?stream=true', 'GET /v1/chat/completions', 'GET /v1/not/known',
  'DELETE /v1/files/file-1', 'OPTIONS /v1/models', 'POST /v1/moderations', 'POST /v1/files', 'POST /v1//files/', 'POST /v1/uploads/upload_1/parts', 'POST /v1/responses/resp_1/cancel',
  'POST /v1/responses/input_tokens', 'POST /v1/chat/completions/chatcmpl-1', 'POST /v1/conversations', 'POST /v1/vector_stores', 'POST /v1/batches/batch_1/cancel'
]

for (const kind of databaseKinds) {
  t.test(`what reads or is free leaves a row and no trace in the type's books, and a spent budget lets it through (${kind})`, async t => {
    const upstream = await startUpstream(t)
    upstream.reply((request: UpstreamRequest) => json(answer, request.url.endsWith('gpt-4o') ? 404 : 200))
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind, env })
    t.equal(
      (await gateway.admin('POST', '/budgets', {
        name: 'app', prompt_type: 'app', period: 'total', limit_usd: 0.15, action: 'block', strict: true
      })).status,
      201
    )
    const as = (type: string): string[] => [`x-prompt-type: ${type}`, 'content-type: application/json']
    // A strict budget has room for this one, and for nothing after it.
    t.equal(
      (await ask(t, gateway, 'POST /v1/chat/completions', as('app'), '{"model":"gpt-4o-mini","max_tokens":1}')).status,
      200
    )
    const before = await statsOf(gateway, 'app')
    t.match(before, { last_model: 'gpt-4o-mini', last_status_code: 200, last_success: true })
    const rollups = async (): Promise<object[]> => Array.from(
      await gateway.database.operator.$client.unsafe<object[]>(
        'select * from usage_rollups order by hour, prompt_type, model'
      )
    )
    const summed = await rollups()

    for (const line of FREE) {
      const body = line.startsWith('POST') ? chat : ''
      t.equal((await ask(t, gateway, line, as('app'), body)).status, line.endsWith('gpt-4o') ? 404 : 200, line)
      t.equal((await ask(t, gateway, line, as('fresh'), body)).status, line.endsWith('gpt-4o') ? 404 : 200, line)
    }
    t.equal((await ask(t, gateway, 'POST /v1/chat/completions', as('app'), chat)).status, 429)

    const rows = (await logRowsOnce(gateway, 2 + 2 * FREE.length)).filter(row =>
      row['cost_reason'] === 'not_metered' && row['status_code'] !== 429)
    t.equal(rows.length, 2 * FREE.length)
    for (const row of rows) t.match(row, { cost: null, input_tokens: null, output_tokens: null, usage_source: 'none' })
    t.equal(rows.filter(row => row['prompt_config_id'] === null).length, 0, 'each belongs to its type')
    t.strictSame(
      { ...await statsOf(gateway, 'app'), blocked_calls: '0' },
      before,
      'but for the call that was blocked, statistics and latest call are what they were'
    )
    t.match(await statsOf(gateway, 'fresh'), {
      total_calls: '0',
      failed_calls: '0',
      unpriced_calls: '0',
      total_cost: '0.000000000000',
      last_called_at: null,
      last_prompt: null
    })
    const withoutBlocked = (await rollups()).filter(rollup => (rollup as { calls: string }).calls !== '0')
    t.same(withoutBlocked.map(rollup => ({ ...rollup, blocked_calls: '0' })), summed)
    const costs = (await gateway.admin('GET', '/costs')).body as { totals: object }
    t.match(costs.totals, { calls: 1, failed_calls: 0, cost: 0.15, avg_cost_per_call: 0.15 })

    const text = await (await fetch(`${gateway.origin}/metrics`)).text()
    t.match(text, new RegExp(`^promptmeter_free_requests_total ${2 * FREE.length}$`, 'm'))
    t.match(text, 'promptmeter_calls_total{prompt_type="app",model="gpt-4o-mini",status="200"} 1\n')
    t.notMatch(text, 'prompt_type="fresh"')
  })
}

t.test('a free request of an inactive type leaves nothing; what it sent is stored where its type says so', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(json({ results: [] }))
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  await gateway.admin('POST', '/prompt-configs', { prompt_type: 'quiet', is_active: false })
  await gateway.admin('POST', '/prompt-configs', { prompt_type: 'full', track_full_data: true })
  for (const type of ['quiet', 'full']) {
    t.equal(
      (await ask(
        t, gateway, `POST /prompt-types/${type}/v1/moderations`, ['content-type: application/json'], '{"input":"x"}'
      )).status,
      200
    )
  }
  const rows = await logRowsOnce(gateway, 1)
  t.match(rows, [{ prompt_type: 'full', prompt: '{"input":"x"}', response: '{"results":[]}', endpoint: 'moderations' }])
  t.equal(rows.length, 1)
})

t.test('a request that only seems to read is stopped by a spent budget, and metered', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(json(answer))
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  t.equal((await ask(t, gateway, 'GET /v1/chat/completions', ['content-type: application/json'], chat)).status, 200)
  t.equal(
    (await ask(
      t, gateway, 'GET /v1/responses', ['X-HTTP-Method-Override: post', 'content-type: application/json'], chat
    )).status,
    200
  )
  t.same((await logRows(gateway)).map(row => row['cost']), ['0.150000000000', '0.150000000000'])
  t.equal(
    (await gateway.admin('POST', '/budgets', {
      name: 'all', period: 'total', limit_usd: 0.15, action: 'block'
    })).status,
    201
  )
  t.equal((await ask(t, gateway, 'GET /v1/chat/completions', ['content-type: application/json'], chat)).status, 429)
  t.equal(
    (await ask(t, gateway, 'OPTIONS /v1/responses', [
      'origin: https://a.example', 'access-control-request-method: POST', 'x-http-method-override: POST'
    ])).status,
    429
  )
})
