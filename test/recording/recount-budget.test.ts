import { sql } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { advanceSummaries, summariseStaleDays } from '../../src/jobs/summaries.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import { uuidV7 } from '../../src/recording/uuid-v7.js'
import { entry } from '../helpers/batches.js'
import { forEachDatabase } from '../helpers/database.js'

const PICO_USD = 1_000_000_000_000n
const at = (time: string): number => Date.parse(time)
const BUDGETS = [
  '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000003'
] as const

async function record (database: Database, promptType: string, time: string, usd: bigint): Promise<void> {
  await createBatchWriter(database)
    .write(
      { id: uuidV7(at(time)), entries: [entry({ promptType, createdAtMs: at(time), costPicoUsd: usd * PICO_USD })] }
    )
}

async function recounted (database: Database, budget: string, time: string): Promise<string[]> {
  await database.operator.execute(sql`select recount_budget(${budget}::uuid, ${time}::timestamptz)`)
  const rows = await database.operator.execute<{ text: string }>(sql`
    select concat(to_char(period_start at time zone 'UTC', 'YYYY-MM-DD'), ': ', trim_scale(spent_usd)) as text from budget_periods
    where budget_id = ${budget}::uuid order by period_start`)
  return rows.map(({ text }) => text)
}

forEachDatabase(t, 'a budget is recounted from days that are summed up, from those that are stale, and from the hours since', async (
  t, database
) => {
  await record(database, 'a', '2026-09-30T23:59:59.999Z', 1n)
  await record(database, 'a', '2026-10-01T00:00:00Z', 2n)
  await record(database, 'b', '2026-10-15T12:00:00Z', 4n)
  await record(database, 'a', '2026-11-01T00:00:00Z', 8n)
  await record(database, 'a', '2026-11-02T03:00:00Z', 16n)
  await advanceSummaries(database.operator, at('2026-11-03T06:00:00Z'))
  await summariseStaleDays(database.operator)
  await record(database, 'a', '2026-10-15T13:00:00Z', 32n) // Late: its day is stale.
  await record(database, 'b', '2026-11-03T05:00:00Z', 64n)
  await record(database, 'a', '2026-11-03T05:30:00Z', 128n)
  for (const [id, promptType, period] of [
    [BUDGETS[0], null, 'total'], [BUDGETS[1], 'a', 'month'], [BUDGETS[2], null, 'week']
  ] as const) {
    await database.operator.execute(sql`
      insert into budgets (id, name, prompt_type, period, limit_usd, thresholds, action) values (${id}::uuid, 'b', ${promptType}, ${period}, 1000, '{50}', 'alert')`)
  }
  t.same(await recounted(database, BUDGETS[0], '2026-11-03T06:00:00Z'), ['1970-01-01: 255'])
  t.same(await recounted(database, BUDGETS[1], '2026-11-03T06:00:00Z'), ['2026-11-01: 152'])
  t.same(await recounted(database, BUDGETS[1], '2026-10-31T23:59:59Z'), ['2026-10-01: 34', '2026-11-01: 152'])
  t.same(
    await recounted(database, BUDGETS[2], '2026-11-01T12:00:00Z'),
    ['2026-10-26: 8'],
    'a week that ends with a summed day'
  )
  t.same(await recounted(database, BUDGETS[2], '2026-11-02T12:00:00Z'), ['2026-10-26: 8', '2026-11-02: 208'])
})
