import { sql } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { promptConfigs, promptStats, usageLogs, usageRollups } from '../../src/db/schema/index.js'
import { createBatchWriter, rejectionOf } from '../../src/recording/batch-writer.js'
import type { BatchEntry, CallRecord } from '../../src/recording/call-record.js'
import { batchOf, entry } from '../helpers/batches.js'
import { forEachDatabase } from '../helpers/database.js'

const count = async (
  database: Database, table: typeof usageLogs | typeof promptConfigs | typeof promptStats
): Promise<number> =>
  await database.operator.$count(table)

forEachDatabase(t, 'no text and no number in a record makes the database refuse it', async (t, database) => {
  const weird = 'a\0b"c\\d{e},NULL \ud800 \udc00 😀 \n\t\u2028 \'; drop table x; --'
  const stored = 'a\uFFFDb"c\\d{e},NULL \uFFFD \uFFFD 😀 \n\t\u2028 \'; drop table x; --'
  const wanted: Partial<CallRecord> = {
    taskDescription: weird,
    endpoint: weird,
    requestModel: weird,
    responseModel: weird,
    user: weird,
    metadata: weird,
    errorType: weird,
    errorMessage: weird,
    upstreamRequestId: weird,
    storeFullData: true
  }
  const numbers: Partial<CallRecord> = {
    promptType: 'numbers',
    inputTokens: Number.MAX_VALUE,
    outputTokens: Number.NaN,
    cachedInputTokens: -5,
    reasoningTokens: 1.5,
    durationMs: Number.POSITIVE_INFINITY,
    timeToFirstByteMs: 2 ** 40,
    requestBytes: 2 ** 70,
    responseBytes: -1,
    statusCode: 2 ** 33,
    costPicoUsd: 10n ** 60n
  }
  const long = 'x'.repeat(100_000)
  const writer = createBatchWriter(database)
  await writer.write(batchOf(
    entry(wanted, { prompt: weird, response: weird }),
    entry({ ...wanted, responseModel: weird.replace('\0', '\uFFFD') }),
    entry(numbers),
    entry({ ...numbers, costPicoUsd: -1n, createdAtMs: Number.NaN }),
    entry({ promptType: 'long', user: long, responseModel: long }),
    entry({ promptType: 'long', user: 'null', responseModel: 'NULL' })
  ))
  const [row] = await database.operator.select().from(usageLogs).where(sql`${usageLogs.prompt} is not null`)
  t.match(row, {
    task_description: stored,
    endpoint: stored,
    request_model: stored,
    response_model: stored,
    user_name: stored,
    metadata: stored,
    error_message: stored,
    prompt: stored,
    response: stored
  })
  const [stats] = await database.operator.select().from(promptStats).where(sql`${promptStats.prompt_type} = 'numbers'`)
  t.match(stats, {
    total_calls: 2,
    total_input_tokens: 2 * (2 ** 31 - 1),
    total_output_tokens: 0,
    total_cost: '1000000000000.000000000000'
  })
  const [cut] = await database.operator.select().from(usageLogs).where(sql`length(${usageLogs.user_name}) > 1000`)
  t.equal(cut?.user_name, long)
  const users = await database.operator.select({ user: usageRollups.user_name }).from(usageRollups)
    .where(sql`${usageRollups.prompt_type} = 'long'`).orderBy(usageRollups.user_name)
  t.same(users, [{ user: 'null' }, { user: long.slice(0, 256) }])
})

forEachDatabase(t, 'a month without a partition gets one, whatever the month', async (t, database) => {
  const writer = createBatchWriter(database)
  const edges = [
    Date.UTC(
      2026, 11, 31, 23, 59, 59, 999
    ), Date.UTC(2027, 0, 1), Date.UTC(2024, 1, 29, 23, 59, 59, 999), Date.UTC(2024, 2, 1),
    Date.UTC(1969, 0), Date.UTC(9000, 0)
  ]
  const entries: BatchEntry[] = edges.map(createdAtMs => entry({ createdAtMs }))
  await writer.write(batchOf(...entries))
  const rows = await database.operator.execute<{ partition: string }>(
    sql`select tableoid::regclass::text as partition from ${usageLogs} order by created_at`
  )
  t.same(rows.map(({ partition }) => partition), [
    'usage_logs_1970_01', 'usage_logs_2024_02', 'usage_logs_2024_03', 'usage_logs_2026_12', 'usage_logs_2027_01', 'usage_logs_2199_12'
  ])
})

forEachDatabase(t, 'a record that the database refuses is refused as such, and nothing of its batch is written', async (
  t, database
) => {
  const writer = createBatchWriter(database)
  const error: unknown = await writer.write(batchOf(entry(), entry({ id: 'no uuid' }))).catch((e: unknown) => e)
  t.equal(rejectionOf(error), 'record')
  t.equal(await count(database, promptConfigs), 0)
  await writer.write(batchOf(entry()))
  t.equal(await count(database, usageLogs), 1)
})

forEachDatabase(t, 'what an operator\'s own trigger or check refuses is a refusal; what the state of the database stops is not', async (
  t, database
) => {
  const writer = createBatchWriter(database)
  const attempt = async (): Promise<unknown> => await writer.write(batchOf(entry())).catch((error: unknown) => error)
  await database.operator.execute(
    sql`create function refuse () returns trigger language plpgsql as $$ begin raise exception 'no'; end $$`
  )
  await database.operator.execute(
    sql`create trigger refuse before insert on ${usageLogs} for each row execute function refuse()`
  )
  t.equal(rejectionOf(await attempt()), 'record', 'trigger')
  await database.operator.execute(sql`drop function refuse cascade`)
  await database.operator.execute(sql`alter table ${usageLogs} add constraint refuse check (duration_ms < 0)`)
  t.equal(rejectionOf(await attempt()), 'record', 'check')
  await database.operator.execute(sql`alter table ${usageLogs} drop constraint refuse`)
  await database.operator.execute(sql`alter table ${usageRollups} rename to elsewhere`)
  t.equal(rejectionOf(await attempt()), 'statement', 'missing table')
  await database.operator.execute(sql`alter table elsewhere rename to usage_rollups`)
  t.equal(rejectionOf(new Error('away')), null)
  t.equal(await attempt(), undefined)
})
