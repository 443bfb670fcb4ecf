import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import {
  auditLog, budgetAlerts, budgetPeriods, budgets, gatewaySettings, promptStats, staleDays, usageLogs, usageRollups
} from '../../src/db/schema/index.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import type { BatchEntry, CallRecord } from '../../src/recording/call-record.js'
import { batchOf, entry } from '../helpers/batches.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { errorOf, startAdmin, type Admin } from './start-admin.js'

const path = '/admin/api/usage-logs/reprice'
/** The last moment of a leap day, of a month, and of the ISO week's Tuesday. */
const MIDNIGHT = Date.UTC(2028, 2, 1)
const pico = 1_000_000_000_000n

/** A call to a model that no table knows: 100 tokens in, of them 20 cached, and 10 out. */
const unpriced = (fields: Partial<CallRecord> = {}): BatchEntry =>
  entry({
    createdAtMs: MIDNIGHT - 1,
    requestModel: 'our-own',
    responseModel: 'our-own',
    costPicoUsd: null,
    costReason: 'unknown_model',
    durationMs: 0,
    ...fields
  })

const write = async (database: Database, ...entries: BatchEntry[]): Promise<void> =>
  await createBatchWriter(database).write(batchOf(...entries))

const price = async (admin: Admin, model: string, body: object): Promise<void> => {
  await admin.call('PUT', `/admin/api/prices/${encodeURIComponent(model)}`, {
    effective_from: '2020-01-01T00:00:00Z', ...body
  })
}

const reprice = async (admin: Admin, filter: object = {}): Promise<unknown> =>
  (await admin.call('POST', path, filter)).body

/** The books' sums that are not those of the log; all its types are active, and none was deleted. */
async function disagreements (database: Database): Promise<unknown[]> {
  const unpricedRow = sql`count(*) filter (where cost is null and (success or input_tokens is not null))`
  const rows = await database.operator.execute(sql`
    with log as (
      select date_trunc('hour', created_at, 'UTC') as hour, prompt_type, left(coalesce(response_model, request_model, ''), 256) as model,
        left(coalesce(user_name, ''), 256) as user_name, coalesce(sum(cost), 0) as cost, ${unpricedRow} as unpriced
      from ${usageLogs} group by 1, 2, 3, 4
    ), types as (select prompt_type, sum(cost) as cost, sum(unpriced) as unpriced from log group by 1)
    select 'rollup' as book, prompt_type, log.cost::text as log, old.cost::text as sum from log full join ${usageRollups} as old using (hour, prompt_type, model, user_name)
    where (log.cost, log.unpriced) is distinct from (old.cost, old.unpriced_calls::numeric)
    union all
    select 'statistics', prompt_type, types.cost::text, old.total_cost::text from types full join ${promptStats} as old using (prompt_type)
    where (types.cost, types.unpriced) is distinct from (old.total_cost, old.unpriced_calls::numeric)
    union all
    select 'last call', prompt_type, call.cost::text, old.last_cost::text from ${promptStats} as old join ${usageLogs} as call using (prompt_type)
    where call.id = old.last_call_id and call.cost is distinct from old.last_cost`)
  return Array.from(rows)
}

const costs = async (database: Database): Promise<Array<string | null>> =>
  (await database.operator.select({ cost: usageLogs.cost }).from(usageLogs)
    .orderBy(usageLogs.id)).map(({ cost }) => cost === null ? null : String(Number(cost)))

t.test('no call is skipped where the clocks of the database\'s time zone go back', async t => {
  const database = await openTestDatabase(t, 'embedded')
  const admin = await startAdmin(t, database)
  await database.operator.execute(sql`set timezone = 'Europe/Berlin'`)
  t.teardown(async () => { await database.operator.execute(sql`reset timezone`) })
  // 02:30 by summer time, and, written as an earlier hour, 02:15 by winter time.
  const times = [
    ...Array.from({ length: 50 }, () => '2026-10-25T00:30:00Z'),
    ...Array.from({ length: 1050 }, () => '2026-10-25T01:15:00Z')
  ]
  await write(database, ...times.map(time => unpriced({ createdAtMs: Date.parse(time) })))
  await price(admin, 'our-own', { input: 1, output: 1 })
  t.match(await reprice(admin), { rows: 1100 })
  t.same(await disagreements(database), [])
})

onEachDatabase(t, 'calls get the cost that was not known, everywhere where it is summed, and a second run changes nothing', async (
  t, database
) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  await write(database, unpriced(), unpriced({ user: 'x'.repeat(300), promptType: 'b' }), unpriced({
    promptType: 'b', createdAtMs: MIDNIGHT, responseModel: null
  }),
  unpriced({
    promptType: 'b', success: false, inputTokens: null, outputTokens: null, costReason: 'no_usage'
  }), entry({ createdAtMs: MIDNIGHT }))
  await price(admin, 'our-own', { input: 1, cached_input: 0.5, output: 2 })
  t.strictSame(await reprice(admin), { rows: 3, cost_before: 0, cost_after: 0.00033 })
  t.same(await disagreements(database), [])
  t.same((await costs(database)).sort(), ['0.0000195', '0.00011', '0.00011', '0.00011', null].sort())
  t.equal(await database.operator.$count(usageLogs, sql`cost_reason is null`), 4)
  const [stats] = await database.operator.select().from(promptStats).where(eq(promptStats.prompt_type, 'b'))
  t.match(stats, { total_cost: '0.000220000000', unpriced_calls: 0, last_cost: '0.000110000000', total_calls: 3 })
  t.strictSame(await reprice(admin), { rows: 0, cost_before: 0, cost_after: 0 })
  t.strictSame(await reprice(admin, { only_unpriced: false }), { rows: 0, cost_before: 0, cost_after: 0 })
})

onEachDatabase(t, 'a call costs what its own time, tier, model and kinds of token cost', async (t, database) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  const known = { costPicoUsd: 1n, costReason: null }
  await write(database,
    unpriced({ ...known, responseModel: 'gpt-4o', durationMs: 0 }),
    unpriced({ ...known, responseModel: 'gpt-5', serviceTier: 'priority' }),
    unpriced({
      ...known,
      responseModel: 'gpt-4o-audio-preview',
      cachedInputTokens: 0,
      usageDetails: '{"audioInputTokens":60,"audioOutputTokens":4}'
    }),
    unpriced({ ...known, responseModel: 'nobody-knows', requestModel: 'gpt-4' }),
    unpriced({ createdAtMs: MIDNIGHT + 500, durationMs: 500 }),
    unpriced({ createdAtMs: MIDNIGHT + 500, durationMs: 501 }),
    unpriced({ ...known, provider: 'anthropic', responseModel: 'gpt-4o' }))
  await price(admin, 'our-own', { effective_from: new Date(MIDNIGHT).toISOString(), input: 1, output: 0 })
  t.match(await reprice(admin, { only_unpriced: false }), { rows: 6 })
  t.same(await costs(database), [
    (80 * 2.5 + 20 * 1.25 + 10 * 10) / 1e6, (80 * 2.5 + 20 * 0.25 + 10 * 20) / 1e6, (40 * 2.5 + 60 * 40 + 6 * 10 +
      4 * 80) / 1e6,
    (100 * 30 + 10 * 60) / 1e6, 100 / 1e6, null, null
  ].map(usd => usd === null ? null : String(usd)))
  t.same(await disagreements(database), [])
})

onEachDatabase(t, 'only the calls that are asked for are priced again', async (t, database) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  for (const promptType of ['a', 'b']) {
    for (const createdAtMs of [MIDNIGHT - 1, MIDNIGHT]) {
      await write(
        database, unpriced({ promptType, createdAtMs })
      )
    }
  }
  await write(database, unpriced({ promptType: 'b', costPicoUsd: pico, costReason: null, createdAtMs: MIDNIGHT + 1 }))
  await price(admin, 'our-own', { input: 1, output: 1 })
  const to = new Date(MIDNIGHT).toISOString()
  t.match(await reprice(admin, { prompt_type: 'a', to }), { rows: 1 })
  t.match(await reprice(admin, { prompt_type: 'a', to }), { rows: 0 })
  t.match(await reprice(admin, { to }), { rows: 1 })
  t.match(await reprice(admin, { from: to, prompt_type: 'a' }), { rows: 1 })
  t.match(await reprice(admin, { from: to, to }), { rows: 0 })
  t.match(await reprice(admin, { from: to }), { rows: 1 }, 'unpriced ones')
  t.strictSame(
    await reprice(admin, { from: to, only_unpriced: false }),
    { rows: 1, cost_before: 1, cost_after: 0.00011 },
    'mispriced ones'
  )
  t.same(await disagreements(database), [])
})

onEachDatabase(t, 'a model that has lost its price loses its cost, and counts as unpriced again', async (
  t, database
) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  await write(database, unpriced({ costPicoUsd: pico, costReason: null }), entry({ createdAtMs: MIDNIGHT }))
  t.strictSame(await reprice(admin, { only_unpriced: false }), { rows: 1, cost_before: 1, cost_after: 0 })
  t.same(await costs(database), [null, '0.0000195'])
  t.match(await database.operator.select().from(promptStats), [{ unpriced_calls: 1, total_cost: '0.000019500000' }])
  t.same(await disagreements(database), [])
})

onEachDatabase(t, 'what is not billed by token, or has no tokens, is left alone', async (t, database) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  const none = {
    inputTokens: null, outputTokens: null, cachedInputTokens: null, reasoningTokens: null, usageSource: 'none'
  } as const
  await write(
    database,
    entry({ ...none, endpoint: 'moderations', costPicoUsd: 0n }),
    unpriced({ ...none, costReason: 'not_metered' }),
    unpriced({ ...none, costReason: 'no_usage' })
  )
  await price(admin, 'our-own', { input: 1, output: 1 })
  await price(admin, 'gpt-4o-mini', { input: 1, output: 1 })
  t.match(await reprice(admin, { only_unpriced: false }), { rows: 0 })
})

onEachDatabase(t, 'budgets of the calls\' periods are put right, under a new revision, and fire the alerts that are due', async (
  t, database
) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  const id = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`
  const made = { limit_usd: '0.0002', thresholds: [50, 80], created_at: '2028-02-01T00:00:00Z', action: 'alert' }
  await database.operator.insert(budgets).values([
    { ...made, id: id(1), name: 'all months', period: 'month' },
    { ...made, id: id(2), name: 'a by day', prompt_type: 'a', period: 'day' },
    { ...made, id: id(3), name: 'b in all', prompt_type: 'b', period: 'total', limit_usd: '100' },
    { ...made, id: id(4), name: 'made later', prompt_type: 'a', period: 'day', created_at: '2028-03-01T00:00:00Z' },
    { ...made, id: id(5), name: 'others', prompt_type: 'c', period: 'day' }
  ])
  await write(database, unpriced({ promptType: 'a' }), unpriced({
    promptType: 'a', createdAtMs: MIDNIGHT
  }), unpriced({ promptType: 'b' }),
  unpriced({ promptType: 'b', costPicoUsd: pico, costReason: null, createdAtMs: MIDNIGHT }))
  const spent = async (): Promise<string[]> => {
    const rows = await database.operator.execute<{ line: string }>(sql`
      select concat_ws(' ', name, (period_start at time zone 'UTC')::date, trim_scale(spent_usd), revision, exceeded_at is not null) as line
      from ${budgetPeriods} join ${budgets} on id = budget_id order by 1`)
    return rows.map(({ line }) => line)
  }
  t.same(await spent(), ['all months 2028-03-01 1 0 t', 'b in all 1970-01-01 1 0 f'])
  await price(admin, 'our-own', { input: 1, output: 1 })
  t.match(await reprice(admin, { only_unpriced: false }), { rows: 4 })
  t.same(await spent(), [
    'a by day 2028-02-29 0.00011 1 f', 'a by day 2028-03-01 0.00011 1 f', 'all months 2028-02-01 0.00022 1 t', 'all months 2028-03-01 0.00022 1 t',
    'b in all 1970-01-01 0.00022 1 f', 'made later 2028-03-01 0.00011 1 f'
  ])
  const alerts = await database.operator.select().from(budgetAlerts)
  t.same(alerts.map(alert => `${alert.budget_name} ${new Date(alert.period_start).toISOString().slice(0, 10)} ${alert.threshold}`)
    .sort(), [
    'a by day 2028-02-29 50', 'a by day 2028-03-01 50', 'all months 2028-02-01 50', 'all months 2028-02-01 80', 'all months 2028-03-01 50',
    'all months 2028-03-01 80', 'made later 2028-03-01 50'
  ])
  await price(admin, 'our-own', { input: 0, output: 1 })
  await reprice(admin, { only_unpriced: false })
  t.match(await spent(), { 2: 'all months 2028-02-01 0.00002 2 f' }, 'a budget may get back below its limit')
})

onEachDatabase(t, 'a deleted config\'s statistics do not come back, those of its successor are its own', async (
  t, database
) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  await write(database, unpriced({ promptType: 'a' }))
  await admin.call('DELETE', '/admin/api/prompt-configs/a')
  await write(database, unpriced({ promptType: 'a' }))
  await price(admin, 'our-own', { input: 1, output: 1 })
  t.match(await reprice(admin), { rows: 2, cost_after: 0.00022 })
  t.match(await database.operator.select().from(promptStats), [{ total_cost: '0.000110000000', unpriced_calls: 0 }])
  t.match(
    await database.operator.select().from(usageRollups),
    [{ cost: '0.000220000000', unpriced_calls: 0 }],
    'what was spent was spent'
  )
})

onEachDatabase(t, 'days that are summed up already are summed up again', async (t, database) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  await write(
    database, unpriced({ createdAtMs: MIDNIGHT - 86_400_000 }), unpriced(), unpriced({ createdAtMs: MIDNIGHT })
  )
  await database.operator.update(gatewaySettings).set({ summarised_to: '2028-03-01' })
  await database.operator.insert(staleDays).values({ day: '2028-02-28' })
  await price(admin, 'our-own', { input: 1, output: 1 })
  t.match(await reprice(admin), { rows: 3 })
  t.same(await database.operator.select().from(staleDays)
    .orderBy(staleDays.day), [{ day: '2028-02-28' }, { day: '2028-02-29' }])
})

onEachDatabase(t, 'the audit log says who, when, how many, from what to what, and which calls', async (t, database) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  await write(database, unpriced())
  await price(admin, 'our-own', { input: 1, output: 1 })
  const { total } = (await admin.call('GET', '/admin/api/audit-log')).body as { total: number }
  await reprice(admin, { prompt_type: 'summarize', to: '2028-03-01T00:00:00Z' })
  const { items } = (await admin.call('GET', '/admin/api/audit-log')).body as { items: object[] }
  t.equal(await database.operator.$count(auditLog), total + 1)
  t.match(items[0], {
    action: 'usage_log.reprice',
    target: 'summarize',
    username: 'operator',
    created_at: '2028-03-01T00:00:00.000Z',
    before: { cost: 0 },
    after: {
      cost: 0.00011, rows: 1, filter: { prompt_type: 'summarize', to: '2028-03-01T00:00:00Z', only_unpriced: true }
    }
  })
})

onEachDatabase(t, 'any number of calls, over months, page by page', async (t, database) => {
  const admin = await startAdmin(t, database, () => MIDNIGHT)
  await write(database, ...Array.from({ length: 2500 }, (_, i) => unpriced({
    createdAtMs: MIDNIGHT + (i % 1200) * 3_600_000,
    promptType: `type-${i % 7}`,
    user: `user-${i % 3}`,
    ...i % 5 === 0
      ? { responseModel: 'other', requestModel: null }
      : {}
  })))
  await price(admin, 'our-own', { input: 1, output: 1 })
  t.strictSame(await reprice(admin), { rows: 2000, cost_before: 0, cost_after: 0.22 })
  t.same(await disagreements(database), [])
})

onEachDatabase(t, 'a filter is refused by the name of the field that is wrong', async (t, database) => {
  const { call } = await startAdmin(t, database)
  for (const [body, error] of [
    [{ since: 1 }, 'unknown_field since'], [{ from: 'x' }, 'invalid_field from'], [{ to: 5 }, 'invalid_field to'],
    [{ prompt_type: '' }, 'invalid_field prompt_type'], [
      { only_unpriced: 'yes' }, 'invalid_field only_unpriced'
    ], [[], 'invalid_field']
  ] as const) t.equal(errorOf(await call('POST', path, body)), `400 ${error}`)
})
