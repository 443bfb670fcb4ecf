import { readFileSync } from 'node:fs'
import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { json, startUpstream } from '../helpers/upstream.js'
import { parseExposition } from './exposition.js'
import { newMetrics, scrape, valueOf } from './scrape.js'

t.test('a gateway\'s metrics have a call once its answer is here, and agree with the books', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { METRICS_TOKEN: 'scrape-me' } })
  upstream.reply(() => json({ model: 'gpt-4o-mini-2024-07-18', usage: { prompt_tokens: 1000, completion_tokens: 10 } }))
  const call = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-prompt-type': 'watched' },
    body: '{"model":"gpt-4o-mini","messages":[]}'
  })
  await call.text()

  t.equal((await fetch(`${gateway.origin}/metrics`)).status, 401)
  const response = await fetch(`${gateway.origin}/metrics`, { headers: { authorization: 'Bearer scrape-me' } })
  t.equal(response.status, 200)
  const families = parseExposition(await response.text())
  const labels = { prompt_type: 'watched', model: 'gpt-4o-mini-2024-07-18', status: '200' }
  t.equal(valueOf(families, 'promptmeter_calls_total', labels), 1)
  t.equal(valueOf(families, 'promptmeter_tokens_total', { ...labels, type: 'input' }), 1000)
  const { body } = await gateway.admin('GET', '/prompt-configs/watched')
  t.match(body, { total_cost: valueOf(families, 'promptmeter_cost_usd_total', labels) ?? NaN })
  t.equal(valueOf(families, 'promptmeter_records_committed_total'), 1)
  t.equal(valueOf(families, 'promptmeter_records_lost_total'), 0)
  t.equal(valueOf(families, 'promptmeter_upstream_requests', { state: 'running' }), 0)
  t.notMatch(JSON.stringify(gateway.logged), /scrape-me/)
})

t.test('docs/operating.md says what every metric is', async t => {
  const page = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8')
  const documented = new Set([...page.matchAll(/`((?:promptmeter|process|nodejs)_\w+)`/g)].map(match => match[1] ?? ''))
  const exposed = new Set((await scrape(newMetrics(t))).keys())
  t.same([...exposed].filter(name => !documented.has(name)), [])
  t.same([...documented].filter(name => !exposed.has(name) && process.platform === 'linux'), [])
})
