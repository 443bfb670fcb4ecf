import t, { type Test } from 'tap'
import { Pool } from 'undici'
import { type Totals, addTo, promptTotals, rollupTotals } from '../helpers/books.js'
import { databaseKinds } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { inParallel } from '../helpers/http-call.js'
import { usdText } from '../helpers/independent-cost.js'
import { answerBody, plannedCall, requestBody, startPlannedUpstream } from '../helpers/planned-calls.js'

const CALLS = 10_000
const CONNECTIONS = 200
const promptTypes = [
  'analyze_image_layout', 'extract_page_metadata', 'generate_file_metadata', 'generate_image_metadata',
  'select_best_tags'
]

const promptTypeOf = (call: number): string => promptTypes[call % promptTypes.length] ?? ''

for (const kind of databaseKinds) {
  t.test(`10,000 calls from 200 connections are in the books to the last digit when the last answer is in (${kind})`, async t => {
    const upstreamUrl = await startPlannedUpstream(t)
    // A record may have to wait for a machine that is busy with all four sides; no answer may overtake it.
    const gateway = await startGateway(t, { upstreamUrl, kind, env: { RECORD_WAIT_MS: '60000', LOG_LEVEL: 'warn' } })
    const pool = new Pool(gateway.origin, { connections: CONNECTIONS })
    t.teardown(() => pool.close())
    const types = new Map<string, Totals>()
    const rollups = new Map<string, Totals>()
    const unexpected: string[] = []

    const startedAtMs = performance.now()
    await inParallel(CONNECTIONS, Array.from({ length: CALLS }, (_, call) => call), async call => {
      const { model, tokens, cost, asks } = plannedCall(call)
      const promptType = promptTypeOf(call)
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'content-type': 'application/json', 'x-prompt-type': promptType, authorization: 'Bearer sk-none' },
        body: requestBody(call)
      })
      const answer = await body.text()
      if (statusCode !== 200 || answer !== answerBody(call, asks)) unexpected.push(`${call}: ${statusCode} ${answer}`)
      const sums = {
        calls: 1n,
        input: BigInt(tokens.input),
        cached: BigInt(
          tokens.cached
        ),
        output: BigInt(tokens.output),
        reasoning: BigInt(
          tokens.reasoning
        ),
        cost
      }
      addTo(types, promptType, { ...sums, cached: 0n, reasoning: 0n })
      addTo(rollups, `${promptType}|${model}|`, sums)
    })
    const seconds = (performance.now() - startedAtMs) / 1000
    const [count] = await gateway.database.operator.$client.unsafe<Array<{ count: string }>>(
      'select count(distinct id)::text as count from usage_logs'
    )
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
  const { items } = body as {
    items: Array<{ prompt_type: string, total_calls: number, total_cost: number, avg_cost_per_call: number }>
  }
  t.equal(items.length, promptTypes.length)
  for (const item of items) {
    const { calls = 0n, cost = 0n } = types.get(item.prompt_type) ?? {}
    t.equal(item.total_calls, CALLS / promptTypes.length)
    t.equal(item.total_cost, Number(usdText(cost)))
    // Eight decimals more than the money has, cut: the quotient to one part in 10¹⁶, which a double holds.
    t.ok(
      Math.abs(
        item.avg_cost_per_call - Number(cost * 10n ** 8n / calls) / 1e20
      ) <= item.avg_cost_per_call * Number.EPSILON
    )
  }
}

const sorted = <Value>(map: ReadonlyMap<string, Value>): Map<string, Value> =>
  new Map([...map].sort(([a], [b]) => a < b ? -1 : 1))
