import t from 'tap'
import { sql } from 'drizzle-orm'
import type { Database } from '../../src/db/database.js'
import { gatewaySettings, modelPrices, staleDays, usageRollups, usageSummaries } from '../../src/db/schema/index.js'
import { onEachDatabase } from './each-database.js'
import { rollupRow, type RollupRow } from './rollup-rows.js'
import { errorOf, startAdmin } from './start-admin.js'

const now = (): number => Date.parse('2026-11-23T10:30:00Z')

async function fill (database: Database, ...rows: RollupRow[]): Promise<void> {
  await database.operator.execute(sql`truncate ${usageRollups}, ${usageSummaries}, ${staleDays}, ${modelPrices}`)
  await database.operator.update(gatewaySettings).set({ summarised_to: null })
  await database.operator.insert(usageRollups).values(rows)
}

onEachDatabase(t, "the period's tokens are priced on other models, cached ones at the cached rate", async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  const used = {
    calls: 2, input_tokens: 3_000_000, cached_input_tokens: 1_000_000, output_tokens: 500_000, cost: '1.5'
  }
  await fill(
    database,
    rollupRow({ ...used, calls: 20 }),
    rollupRow({ prompt_type: 'b', input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, cost: '1' }),
    rollupRow({ ...used, hour: '2025-01-01T00:00:00Z' })
  )
  const ask = async (query: string) =>
    (await admin.call('GET', `/admin/api/costs/what-if?${query}`)).body as {
      actual: object, items: unknown[], prompt_type: string | null
    }
  const answer = await ask('prompt_type=a&model=gpt-4o&model=gpt-4o-mini&model=gpt-99&model=gpt-4o')
  t.match(answer, {
    prompt_type: 'a', actual: { cost: 1.5, calls: 20, input_tokens: 3_000_000 }, from: '2026-10-25T00:00:00.000Z'
  })
  t.strictSame(answer.items, [
    // 2 million at 2.5, one at 1.25, half a million at 10.
    { model: 'gpt-4o', cost: 11.25, cost_reason: null, difference: 9.75 },
    { model: 'gpt-4o-mini', cost: 0.3 + 0.075 + 0.3, cost_reason: null, difference: -0.825 },
    { model: 'gpt-99', cost: null, cost_reason: 'unknown_model', difference: null }
  ])
  t.match(await ask('model=gpt-4o'), {
    prompt_type: null, actual: { cost: 2.5 }, items: [{ cost: 11.25, difference: 8.75 }]
  })
  t.equal((await ask('')).items.length, 6)
  t.match(await ask('prompt_type=none&model=gpt-4o'), {
    actual: { calls: 0, cost: 0 }, items: [{ cost: 0, difference: 0 }]
  })
  t.equal(errorOf(await admin.call('GET', '/admin/api/costs/what-if?model=')), '400 invalid_field model.0')

  await database.operator.insert(modelPrices)
    .values({ model: 'gpt-99', effective_from: '2026-01-01T00:00:00Z', input: '1', output: '2' })
  t.strictSame(
    (await ask('prompt_type=a&model=gpt-99')).items,
    [{ model: 'gpt-99', cost: 4, cost_reason: null, difference: 2.5 }],
    "an operator's price, whose cached input costs what input does"
  )
})

onEachDatabase(t, 'long contexts cost what calls of the average length do', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  await fill(database, rollupRow({ calls: 10, input_tokens: 10_000_000, cached_input_tokens: 0, output_tokens: 0 }))
  const costOf = async (calls: number) => {
    await database.operator.update(usageRollups).set({ calls })
    const { items } = (await admin.call(
      'GET', '/admin/api/costs/what-if?model=gpt-5.4'
    )).body as { items: Array<{ cost: number }> }
    return items[0]?.cost
  }
  const [short, long] = [await costOf(1000), await costOf(10)]
  t.equal(long, 2 * (short ?? NaN))
})

onEachDatabase(t, 'what changed most comes first, up or down, against a period of the same length', async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  const [before, after] = ['2026-11-02T10:00:00Z', '2026-11-03T10:00:00Z']
  await fill(database,
    rollupRow({ hour: before, prompt_type: 'gone', cost: '0.3' }),
    rollupRow({ hour: before, prompt_type: 'steady', cost: '5' }), rollupRow({
      hour: after, prompt_type: 'steady', cost: '5.1', calls: 3
    }),
    rollupRow({ hour: after, prompt_type: 'new', cost: '0.2' }),
    rollupRow({ hour: '2026-11-01T10:00:00Z', prompt_type: 'older', cost: '100' }))
  const period = 'from=2026-11-03T00:00:00Z&to=2026-11-04T00:00:00Z'
  const { body } = await admin.call('GET', `/admin/api/costs/top-movers?${period}`)
  t.strictSame(body, {
    items: [
      { group: 'gone', cost: 0, previous_cost: 0.3, change: -0.3, change_ratio: -1, calls: 0, previous_calls: 1 },
      { group: 'new', cost: 0.2, previous_cost: 0, change: 0.2, change_ratio: null, calls: 1, previous_calls: 0 },
      { group: 'steady', cost: 5.1, previous_cost: 5, change: 0.1, change_ratio: 0.02, calls: 3, previous_calls: 1 }
    ],
    from: '2026-11-03T00:00:00.000Z',
    to: '2026-11-04T00:00:00.000Z',
    previous_from: '2026-11-02T00:00:00.000Z',
    previous_to: '2026-11-03T00:00:00.000Z'
  })
  const two = (await admin.call('GET', `/admin/api/costs/top-movers?${period}&limit=2&group_by=model`)).body as {
    items: unknown[]
  }
  t.match(two.items, [{ group: 'm', previous_cost: 5.3 }])
})
