import { randomUUID } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import type { SpentBudget } from '../../src/db/policy-store.js'
import {
  alertDeliveries, budgetAlerts, budgetPeriods, budgets, promptStats, usageLogs, usageRollups
} from '../../src/db/schema/index.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import { batchOf, entry } from '../helpers/batches.js'
import { forEachDatabase } from '../helpers/database.js'
import { gate } from '../helpers/gate.js'

type NewBudget = typeof budgets.$inferInsert

/** A budget of 100 USD a day for all traffic, with what the test wants otherwise. */
async function addBudget (database: Database, wanted: Partial<NewBudget> = {}): Promise<string> {
  const id = randomUUID()
  await database.operator.insert(budgets).values({
    id,
    name: 'all of it',
    prompt_type: null,
    period: 'day',
    limit_usd: '100',
    thresholds: [
      50, 80, 100
    ],
    action: 'block',
    ...wanted
  })
  return id
}

const usd = (amount: number): bigint => BigInt(amount) * 10n ** 12n
const day = (time: string): number => Date.parse(time)

/** Period starts → spend, revision, and when the limit was reached. */
async function periods (database: Database, id: string): Promise<unknown[]> {
  const rows = await database.operator.select().from(budgetPeriods).where(eq(budgetPeriods.budget_id, id))
    .orderBy(budgetPeriods.period_start)
  return rows.map(row =>
    [
      new Date(row.period_start).toISOString(),
      Number(row.spent_usd),
      row.revision,
      row.exceeded_at === null ? null : new Date(row.exceeded_at).toISOString()
    ])
}

async function alerts (database: Database): Promise<unknown[]> {
  const rows = await database.operator.select().from(budgetAlerts)
    .orderBy(budgetAlerts.period_start, budgetAlerts.threshold)
  return rows.map(row => [new Date(row.period_start).toISOString().slice(0, 10), row.threshold, Number(row.spent_usd)])
}

forEachDatabase(t, 'a batch adds its cost to the budgets of all traffic and of its types, in the period of each call', async (
  t, database
) => {
  const spent: SpentBudget[] = []
  const writer = createBatchWriter(database, { onSpent: told => { spent.push(...told) } })
  const ids = {
    day: await addBudget(database),
    week: await addBudget(database, { period: 'week', prompt_type: 'a' }),
    month: await addBudget(database, { period: 'month', prompt_type: 'b', action: 'alert' }),
    total: await addBudget(database, { period: 'total' }),
    other: await addBudget(database, { prompt_type: 'c' })
  }
  await writer.write(batchOf(
    entry({ promptType: 'a', createdAtMs: day('2026-12-31T23:59:59.999Z'), costPicoUsd: usd(1) }),
    entry({ promptType: 'a', createdAtMs: day('2027-01-01T00:00:00Z'), costPicoUsd: usd(2) }),
    entry({ promptType: 'b', createdAtMs: day('2027-01-01T05:00:00Z'), costPicoUsd: usd(4) }),
    entry({ promptType: 'c', createdAtMs: day('2027-01-01T05:00:00Z'), costPicoUsd: null, costReason: 'unknown_model' })
  ))
  t.same(await periods(database, ids.day), [
    ['2026-12-31T00:00:00.000Z', 1, 0, null], ['2027-01-01T00:00:00.000Z', 6, 0, null]
  ])
  t.same(
    await periods(database, ids.week), [['2026-12-28T00:00:00.000Z', 3, 0, null]], 'week 53 goes on over the new year'
  )
  t.same(await periods(database, ids.month), [['2027-01-01T00:00:00.000Z', 4, 0, null]])
  t.same(await periods(database, ids.total), [['1970-01-01T00:00:00.000Z', 7, 0, null]])
  t.same(await periods(database, ids.other), [], 'a call without a cost spends nothing')
  const told = new Map(
    spent.map(({ budgetId, periodStartMs, spentUsd, revision }) =>
      [`${budgetId} ${periodStartMs}`, [Number(spentUsd), revision]])
  )
  t.same(told, new Map([
    [`${ids.day} ${day('2026-12-31')}`, [1, 0]],
    [`${ids.day} ${day('2027-01-01')}`, [6, 0]],
    [`${ids.week} ${day('2026-12-28')}`, [3, 0]],
    [`${ids.total} 0`, [7, 0]]
  ]), 'and the writer is told of the blocking ones')
})

forEachDatabase(t, 'a batch written again spends nothing, and tells what is spent', async (t, database) => {
  const spent: string[] = []
  const writer = createBatchWriter(database, {
    onSpent: told => { spent.push(...told.map(({ spentUsd }) => spentUsd)) }
  })
  const id = await addBudget(database)
  const batch = batchOf(entry({ costPicoUsd: usd(3) }))
  await writer.write(batch)
  await writer.write(batchOf(entry({ costPicoUsd: usd(4) })))
  await writer.write(batch)
  t.same(spent.map(Number), [3, 7, 7])
  t.same(await periods(database, id), [['2026-11-20T00:00:00.000Z', 7, 0, null]])
})

forEachDatabase(t, 'a threshold that a batch crosses fires once a period, with a delivery for each channel', async (
  t, database
) => {
  const heard = gate()
  let calls = 0
  await database.listen('promptmeter_alerts', () => { if (++calls === 2) heard.open() })
  const writer = createBatchWriter(database)
  const at = day('2028-02-29T23:00:00Z')
  const id = await addBudget(database, {
    limit_usd: '10', webhook_url: 'https://example.com/hook', email: 'ops@example.com', thresholds: [50, 80]
  })
  const spend = async (amount: number, createdAtMs = at): Promise<void> => {
    await writer.write(batchOf(entry({ costPicoUsd: usd(amount), createdAtMs })))
  }
  await spend(4)
  t.same(await alerts(database), [])
  await spend(1)
  t.same(await alerts(database), [['2028-02-29', 50, 5]], 'reached is crossed')
  await spend(4)
  t.same(await alerts(database), [['2028-02-29', 50, 5], ['2028-02-29', 80, 9]])
  t.same(await periods(database, id), [['2028-02-29T00:00:00.000Z', 9, 0, null]])
  await spend(1)
  await spend(1, at + 5000)
  t.same(
    await periods(database, id),
    [['2028-02-29T00:00:00.000Z', 11, 0, '2028-02-29T23:00:00.000Z']],
    'when the limit was reached'
  )
  await spend(20, at + 3_600_000)
  t.same(
    (await alerts(database)).slice(2), [['2028-03-01', 50, 20], ['2028-03-01', 80, 20]], 'both at once in a new period'
  )
  await heard.passed()
  const deliveries = await database.operator.select().from(alertDeliveries)
  t.equal(deliveries.length, 8)
  t.same(new Set(deliveries.map(({ channel, target, state }) => `${channel} ${target} ${state}`)),
    new Set(['webhook https://example.com/hook pending', 'email ops@example.com pending']))
  t.equal(
    deliveries.filter(({ next_attempt_at: at }) => Date.parse(at) === day('2028-02-29T23:00:00Z')).length,
    4,
    'due by the clock of the calls'
  )
  const [alert] = await database.operator.select().from(budgetAlerts)
    .orderBy(budgetAlerts.created_at, budgetAlerts.threshold)
  t.match(alert, { budget_id: id, budget_name: 'all of it', prompt_type: null, period: 'day', action: 'block' })
  t.equal(Number(alert?.limit_usd), 10)
})

forEachDatabase(t, 'recounting sets the spend to what the rollups say, under a new revision, and fires what is reached', async (
  t, database
) => {
  const writer = createBatchWriter(database)
  const at = day('2026-03-31T12:00:00Z')
  const record = (promptType: string, time: string, amount: number) =>
    entry({ promptType, createdAtMs: day(time), costPicoUsd: usd(amount) })
  await writer.write(batchOf(
    record(
      'a', '2026-02-28T23:59:59Z', 1
    ), record('a', '2026-03-01T00:00:00Z', 2), record('b', '2026-03-30T00:00:00Z', 4),
    record('a', '2026-03-31T23:59:59Z', 8), record('a', '2026-04-01T00:00:00Z', 16)
  ))
  const recount = async (id: string): Promise<void> => {
    await database.operator.execute(sql`select recount_budget(${id}, ${new Date(at).toISOString()})`)
  }
  const cases: [Partial<NewBudget>, string, number][] = [
    [{ period: 'month' }, '2026-03-01T00:00:00.000Z', 14],
    [{ period: 'month', prompt_type: 'a' }, '2026-03-01T00:00:00.000Z', 10],
    [{ period: 'week' }, '2026-03-30T00:00:00.000Z', 28],
    [{ period: 'day' }, '2026-03-31T00:00:00.000Z', 8],
    [{ period: 'total', prompt_type: 'a' }, '1970-01-01T00:00:00.000Z', 27],
    [{ period: 'day', prompt_type: 'nobody' }, '2026-03-31T00:00:00.000Z', 0]
  ]
  for (const [wanted, start, amount] of cases) {
    const id = await addBudget(database, { limit_usd: '1000', ...wanted })
    await recount(id)
    t.same(await periods(database, id), [[start, amount, 1, null]], JSON.stringify(wanted))
  }
  const id = await addBudget(database, { limit_usd: '10' })
  await recount(id)
  t.same(await alerts(database), [['2026-03-31', 50, 8], ['2026-03-31', 80, 8]])
  await database.operator.delete(usageRollups)
  await recount(id)
  t.same(await periods(database, id), [['2026-03-31T00:00:00.000Z', 0, 2, null]], 'less, too')
  await recount(randomUUID())
  t.equal((await alerts(database)).length, 2)
})

forEachDatabase(t, 'firing alerts goes by the limit as it is now: it fires what is reached, and sets or clears the excess', async (
  t, database
) => {
  const writer = createBatchWriter(database)
  const start = '2026-11-20T00:00:00Z'
  const id = await addBudget(database)
  await writer.write(batchOf(entry({ costPicoUsd: usd(60) })))
  const set = async (limit: string): Promise<void> => {
    await database.operator.transaction(async transaction => {
      await transaction.update(budgets).set({ limit_usd: limit }).where(eq(budgets.id, id))
      await transaction.execute(sql`select fire_budget_alerts(${id}, ${start}, '2026-11-20T13:00:00Z')`)
    })
  }
  t.same(await alerts(database), [['2026-11-20', 50, 60]])
  await set('60')
  t.same(await alerts(database), [['2026-11-20', 50, 60], ['2026-11-20', 80, 60], ['2026-11-20', 100, 60]])
  t.same(await periods(database, id), [['2026-11-20T00:00:00.000Z', 60, 0, '2026-11-20T13:00:00.000Z']])
  await set('61')
  t.same(await periods(database, id), [['2026-11-20T00:00:00.000Z', 60, 0, null]])
  await writer.write(batchOf(entry({ costPicoUsd: usd(1), createdAtMs: day('2026-11-20T14:00:00Z') })))
  t.same(await periods(database, id), [['2026-11-20T00:00:00.000Z', 61, 0, '2026-11-20T14:00:00.000Z']])
  t.equal((await alerts(database)).length, 3, 'none fires again')
})

forEachDatabase(t, 'a blocked call counts as blocked and as nothing else; its type gets a config, and keeps its latest call', async (
  t, database
) => {
  const writer = createBatchWriter(database)
  const blocked = {
    blocked: true,
    success: false,
    statusCode: 429,
    errorType: 'budget_exceeded',
    inputTokens: null,
    outputTokens: null,
    costPicoUsd: null,
    costReason: 'not_metered',
    responseModel: null
  } as const
  await writer.write(batchOf(entry(blocked), entry({ ...blocked, logged: false })))
  const stats = async () => (await database.operator.select().from(promptStats))[0]
  t.match(await stats(), {
    total_calls: 0,
    failed_calls: 0,
    blocked_calls: 2,
    unpriced_calls: 0,
    total_input_tokens: 0,
    last_call_id: null,
    last_called_at: null,
    last_user: null
  })
  const rows = await database.operator.select().from(usageLogs)
  t.match(rows, [
    { status_code: 429, success: false, error_type: 'budget_exceeded', cost: null, cost_reason: 'not_metered' }
  ])
  const at = Date.UTC(2026, 10, 20, 13)
  const call = entry({ user: 'real', createdAtMs: at }, { prompt: '"p"', response: '"r"' })
  await writer.write(batchOf(call, entry({ ...blocked, user: 'late', createdAtMs: at + 1 })))
  await writer.write(batchOf(entry({ ...blocked, user: 'later', createdAtMs: at + 2 })))
  t.match(await stats(), {
    total_calls: 1,
    failed_calls: 0,
    blocked_calls: 4,
    last_call_id: call.record.id,
    last_user: 'real',
    last_prompt: '"p"',
    last_success: true
  })
  const [rollup] = await database.operator.select().from(usageRollups).orderBy(sql`hour desc`, usageRollups.user_name)
  t.match(rollup, { user_name: 'late', calls: 0, failed_calls: 0, blocked_calls: 1, duration_ms: 0 })
})

forEachDatabase(t, 'a call recorded late marks its day\'s summaries as out of date', async (t, database) => {
  const writer = createBatchWriter(database)
  const write = async (...times: string[]): Promise<void> => {
    await writer.write(
      batchOf(...times.map(time => entry({ createdAtMs: day(time), usageDetails: '{"audioInputTokens":3}' })))
    )
  }
  const stale = async (): Promise<unknown> => (await database.operator.execute(
    sql`select day::text from usage_summaries_stale order by day`
  )).map(({ day }) => day)
  await write('2026-01-01T00:00:00Z')
  t.same(await stale(), [], 'nothing is summarised yet')
  await database.operator.execute(sql`update gateway_settings set summarised_to = '2026-11-20'`)
  await write('2026-11-20T00:00:00Z')
  t.same(await stale(), [])
  await write('2026-11-19T23:59:59Z', '2026-11-18T12:00:00Z', '2026-11-18T13:00:00Z', '2026-11-21T00:00:00Z')
  await write('2026-11-19T01:00:00Z')
  t.same(await stale(), ['2026-11-18', '2026-11-19'])
  const [row] = await database.operator.select({ details: usageLogs.usage_details }).from(usageLogs)
  t.equal(row?.details, '{"audioInputTokens":3}')
})
