import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Pool } from 'undici'
import { type Totals, addTo, promptTotals, rollupTotals } from '../helpers/books.js'
import { databaseKinds } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { inParallel } from '../helpers/http-call.js'
import { usdText } from '../helpers/independent-cost.js'

const CALLS = 10_000
const CONNECTIONS = 200
const promptTypes = ['analyze_image_layout', 'extract_page_metadata', 'generate_file_metadata', 'generate_image_metadata', 'select_best_tags']

/** A model's rates in 10⁻¹² USD per token, as OpenAI publishes them per million. */
const models = [
  { name: 'gpt-4o-mini-2024-07-18', input: 150_000n, cached: 75_000n, output: 600_000n },
  { name: 'gpt-5-nano-2025-08-07', input: 50_000n, cached: 5_000n, output: 400_000n },
  { name: 'gpt-4.1-2025-04-14', input: 2_000_000n, cached: 500_000n, output: 8_000_000n }
] as const

/** What one call is; all of it follows from its number, on both sides of the gateway. */
function planned (call: number) {
  const input = 1 + call * 7919 % 4001
  const model = models[call % models.length] ?? models[0]
  const tokens = { input, cached: call % 3 === 0 ? Math.floor(input / 2) : 0, output: 4 + call * 104_729 % 1013, reasoning: call % 4 }
  const cost = BigInt(tokens.input - tokens.cached) * model.input + BigInt(tokens.cached) * model.cached + BigInt(tokens.output) * model.output
  // Two streams in five, and of these every other one asks for its usage itself.
  return { promptType: promptTypes[call % 5] ?? '', model: model.name, tokens, cost, stream: call % 5 > 2, asks: call % 2 === 0 }
}

for (const kind of databaseKinds) {
  t.test(`10,000 calls from 200 connections are in the books to the last digit when the last answer is in (${kind})`, async t => {
    const upstreamUrl = await startCounting(t)
    // A record may have to wait for a machine that is busy with all four sides; no answer may overtake it.
    const gateway = await startGateway(t, { upstreamUrl, kind, env: { RECORD_WAIT_MS: '60000', LOG_LEVEL: 'warn' } })
    const pool = new Pool(gateway.origin, { connections: CONNECTIONS })
    t.teardown(() => pool.close())
    const types = new Map<string, Totals>()
    const rollups = new Map<string, Totals>()
    const unexpected: string[] = []

    const startedAtMs = performance.now()
    await inParallel(CONNECTIONS, Array.from({ length: CALLS }, (_, call) => call), async call => {
      const { promptType, model, tokens, cost } = planned(call)
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'content-type': 'application/json', 'x-prompt-type': promptType, authorization: 'Bearer sk-none' },
        body: requestBody(call)
      })
      const answer = await body.text()
      if (statusCode !== 200 || answer !== answerBody(call, planned(call).asks)) unexpected.push(`${call}: ${statusCode} ${answer}`)
      const sums = {
        calls: 1n, input: BigInt(tokens.input), cached: BigInt(tokens.cached), output: BigInt(tokens.output), reasoning: BigInt(tokens.reasoning), cost
      }
      addTo(types, promptType, { ...sums, cached: 0n, reasoning: 0n })
      addTo(rollups, `${promptType}|${model}|`, sums)
    })
    const seconds = (performance.now() - startedAtMs) / 1000
    const [count] = await gateway.database.operator.$client.unsafe<Array<{ count: string }>>('select count(distinct id)::text as count from usage_logs')
    t.comment(`${CALLS} calls in ${seconds.toFixed(1)} s`)

    t.same(unexpected, [], 'every answer is whole, and as upstream gave it')
    t.equal(count?.count, String(CALLS), 'as many rows as calls')
    t.strictSame(await promptTotals(gateway), sorted(types))
    t.strictSame(sorted(await rollupTotals(gateway)), sorted(rollups))
    await checkAverages(t, gateway, types)
  })
}

async function checkAverages (t: Test, gateway: TestGateway, types: ReadonlyMap<string, Totals>): Promise<void> {
  const { body } = await gateway.admin('GET', '/prompt-configs')
  const { items } = body as { items: Array<{ prompt_type: string, total_calls: number, total_cost: number, avg_cost_per_call: number }> }
  t.equal(items.length, promptTypes.length)
  for (const item of items) {
    const { calls = 0n, cost = 0n } = types.get(item.prompt_type) ?? {}
    t.equal(item.total_calls, CALLS / promptTypes.length)
    t.equal(item.total_cost, Number(usdText(cost)))
    // Eight decimals more than the money has, cut: the quotient to one part in 10¹⁶, which a double holds.
    t.ok(Math.abs(item.avg_cost_per_call - Number(cost * 10n ** 8n / calls) / 1e20) <= item.avg_cost_per_call * Number.EPSILON)
  }
}

function requestBody (call: number): string {
  const { model, stream, asks } = planned(call)
  return JSON.stringify({
    model,
    messages: [{ role: 'user', content: `call ${call}` }],
    ...(stream ? { stream } : {}),
    ...(stream && asks ? { stream_options: { include_usage: true } } : {})
  })
}

/** What upstream answers: a completion, or a stream with usage if it is asked. */
function answerBody (call: number, withUsage: boolean): string {
  const { model, tokens, stream } = planned(call)
  const usage = {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
    prompt_tokens_details: { cached_tokens: tokens.cached },
    completion_tokens_details: { reasoning_tokens: tokens.reasoning }
  }
  const head = { id: `chatcmpl-${call}`, created: 1_790_000_000, model, service_tier: 'default' }
  if (!stream) {
    return JSON.stringify({ ...head, choices: [{ index: 0, message: { role: 'assistant', content: 'Yes.' }, finish_reason: 'stop' }], usage })
  }
  const last = { index: 0, delta: {}, finish_reason: 'stop' }
  const deltas = ['Ye', 's', '.'].map(content => ({ index: 0, delta: { content }, finish_reason: null }))
  const chunks: object[] = [...deltas, last].map(choice => ({ ...head, choices: [choice], ...(withUsage ? { usage: null } : {}) }))
  if (withUsage) chunks.push({ ...head, choices: [], usage })
  return [...chunks.map(chunk => JSON.stringify(chunk)), '[DONE]'].map(data => `data: ${data}\n\n`).join('')
}

/** An upstream that keeps nothing of what it was asked, so that it costs the test little. */
async function startCounting (t: Test): Promise<string> {
  const server = createServer((request, response) => {
    void text(request).then(body => {
      const asked = JSON.parse(body) as { messages: [{ content: string }], stream?: boolean, stream_options?: { include_usage: boolean } }
      const answer = answerBody(Number(asked.messages[0].content.slice('call '.length)), asked.stream_options?.include_usage === true)
      response.writeHead(200, { 'content-type': asked.stream === true ? 'text/event-stream; charset=utf-8' : 'application/json' })
      if (asked.stream === true) for (const event of answer.match(/data: .+\n\n/g) ?? []) response.write(event)
      response.end(asked.stream === true ? '' : answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

const sorted = <Value>(map: ReadonlyMap<string, Value>): Map<string, Value> => new Map([...map].sort(([a], [b]) => a < b ? -1 : 1))
