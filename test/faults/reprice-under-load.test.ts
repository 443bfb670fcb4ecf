import t from 'tap'
import { testDatabaseOptions, temporaryFolder } from '../helpers/database.js'
import { checkBooks } from '../helpers/fault-books.js'
import { newTally, startFaultLoad } from '../helpers/fault-load.js'
import { startGateway } from '../helpers/gateway.js'
import { startPlannedUpstream } from '../helpers/planned-calls.js'

const ROUNDS = 4
const CALLS_A_ROUND = 100
const models = ['gpt-4o-mini-2024-07-18', 'gpt-5-nano-2025-08-07', 'gpt-4.1-2025-04-14']

t.test('costs are computed again and again while two gateways record calls, and the books stay exact to the digit', async t => {
  const upstreamUrl = await startPlannedUpstream(t)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const start = async () => await startGateway(t, {
    upstreamUrl, location: { databaseUrl, dataDir: temporaryFolder(t) }, env: { RECORD_WAIT_MS: '60000' }
  })
  const gateways = [await start(), await start()] as const
  const [one, other] = gateways
  const { $client } = one.database.operator
  for (const [name, promptType, period] of [
    ['all', null, 'total'], ['tags', 'select_best_tags', 'day'], ['layout', 'analyze_image_layout', 'month']
  ] as const) {
    await $client.unsafe(`insert into budgets (id, name, prompt_type, period, limit_usd, thresholds, action)
      values (gen_random_uuid(), $1, $2, $3, 1000, '{80}', 'alert')`, [name, promptType, period])
  }
  const tally = newTally()
  const loads = gateways.map(({ origin }) => startFaultLoad(t, origin, { tally, callers: 20 }))
  const statuses = new Set<number>()
  const reprice = async (gateway: typeof one): Promise<number> =>
    (await gateway.admin('POST', '/usage-logs/reprice', { only_unpriced: false })).status

  for (let round = 1; round <= ROUNDS; round++) {
    await loads[0]?.answers(CALLS_A_ROUND)
    for (const model of models) {
      const { status } = await (round % 2 === 0 ? one : other).admin('PUT', `/prices/${model}`, {
        input: round, output: round % 3 === 0 ? 0.123456 : 3, effective_from: '2020-01-01T00:00:00Z'
      })
      statuses.add(status)
    }
    for (const status of await Promise.all([reprice(one), reprice(other)])) statuses.add(status === 409 ? 200 : status)
  }
  await Promise.all(loads.map(async load => await load.stop()))
  for (const model of models) statuses.add((await one.admin('DELETE', `/prices/${model}`)).status)
  t.same(await one.admin('POST', '/usage-logs/reprice', { only_unpriced: false }).then(({ status }) => status), 200)
  t.same(await one.admin('POST', '/usage-logs/reprice', { only_unpriced: false }), {
    status: 200, body: { rows: 0, cost_before: 0, cost_after: 0 }
  })

  t.same([...tally.failed], [])
  t.same([...statuses].sort(), [200, 204], 'nothing that an operator did failed')
  await checkBooks(t, { location: { databaseUrl, dataDir: '' }, tally })
  const spent = await $client.unsafe<Array<{ name: string, spent: string, log: string }>>(`
    select name, sum(spent_usd)::text as spent, (select sum(cost)::text from usage_logs where budgets.prompt_type is null or budgets.prompt_type = usage_logs.prompt_type) as log
    from budgets join budget_periods on budget_id = id group by id order by name`)
  t.equal(spent.length, 3)
  for (const { name, spent: sum, log } of spent) t.equal(sum, log, `the budget '${name}' has spent what the log says`)
  t.same(
    gateways.flatMap(({ logged }) => logged.filter(line => Number(line['level']) >= 40)),
    [],
    'nothing went wrong that a log tells of'
  )
})
