import t, { type Test } from 'tap'
import { databaseKinds, temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'
import { json, startUpstream, type Upstream } from '../helpers/upstream.js'
import { ask } from './raw-caller.js'

/** A second, as the contract says, and four more for a machine that runs other tests meanwhile. */
const SOON_MS = 5000
const model = 'ft:gpt-4o:org::id'
const usage = {
  prompt_tokens: 100,
  completion_tokens: 10,
  total_tokens: 110,
  prompt_tokens_details: { cached_tokens: 40, audio_tokens: 20 },
  completion_tokens_details: { audio_tokens: 5 }
}

function answering (upstream: Upstream, model: string): void {
  upstream.reply(
    json({ model, service_tier: 'priority', choices: [{ message: { role: 'assistant', content: 'hi' } }], usage })
  )
}

/** Makes a call, and answers with its cost. */
async function costOfCall (t: Test, gateway: TestGateway): Promise<string | null> {
  await ask(
    t, gateway, 'POST /v1/chat/completions', [], '{"model":"asked","messages":[{"role":"user","content":"hi"}]}'
  )
  const [row] = await gateway.database.operator.$client.unsafe<Array<{ cost: string | null }>>(
    'select trim_scale(cost)::text as cost from usage_logs order by id desc limit 1'
  )
  return row?.cost ?? null
}

for (const kind of databaseKinds) {
  t.test(`a price that an operator sets holds for the next call, and what was unpriced before can be repriced (${kind})`, async t => {
    const upstream = await startUpstream(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind, env: { RECORD_WAIT_MS: '60000' } })
    answering(upstream, 'our-own/model')
    t.equal(await costOfCall(t, gateway), null)
    t.match((await gateway.admin('GET', '/unpriced-models')).body, {
      items: [{ model: 'our-own/model', unpriced_calls: 1, has_price: false }]
    })
    const price = { input: 1, cached_input: 0.5, output: 2, audio_input: 3, audio_output: 4 }
    t.equal((await gateway.admin('PUT', '/prices/our-own%2Fmodel', price)).status, 200)
    t.equal(await costOfCall(t, gateway), '0.00015', '40 text, 40 cached, 20 audio; 5 text, 5 audio')
    t.same(
      (await gateway.admin('POST', '/usage-logs/reprice', {})).body,
      { rows: 0, cost_before: 0, cost_after: 0 },
      'the first call was before the price\'s time'
    )
    await gateway.admin('PUT', '/prices/our-own%2Fmodel', { ...price, effective_from: '2020-01-01T00:00:00Z' })
    t.same((await gateway.admin('POST', '/usage-logs/reprice', {})).body, {
      rows: 1, cost_before: 0, cost_after: 0.00015
    })
    t.same((await gateway.admin('POST', '/usage-logs/reprice', { only_unpriced: false })).body, {
      rows: 0, cost_before: 0, cost_after: 0
    })
    t.match((await gateway.admin('GET', '/unpriced-models')).body, { items: [] })
    await gateway.admin('DELETE', '/prices/our-own%2Fmodel')
    t.equal(await costOfCall(t, gateway), null)
  })
}

t.test('a price set on one instance holds on the others within a second, and over a restart', async t => {
  const upstream = await startUpstream(t)
  answering(upstream, model)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const start = async () => await startGateway(t, {
    upstreamUrl: upstream.url, location: { databaseUrl, dataDir: temporaryFolder(t) }, env: { RECORD_WAIT_MS: '60000' }
  })
  const [one, other] = [await start(), await start()]
  const builtIn = await costOfCall(t, other)
  await one.admin('PUT', `/prices/${encodeURIComponent(model)}`, { input: 1, output: 1 })
  t.equal(await costOfCall(t, one), '0.00011')
  const startedAtMs = performance.now()
  await until(async () => await costOfCall(t, other) !== builtIn)
  t.ok(performance.now() - startedAtMs < SOON_MS)
  t.equal(await costOfCall(t, other), '0.00011')
  t.equal(await costOfCall(t, await start()), '0.00011')
})
