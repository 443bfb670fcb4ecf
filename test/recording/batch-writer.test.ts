import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { promptConfigs, promptStats, usageLogs, usageRollups } from '../../src/db/schema/index.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import type { CallRecord } from '../../src/recording/call-record.js'
import { decimalToPicoUsd } from '../../src/lib/usd.js'
import { batchOf, callRecord, entry } from '../helpers/batches.js'
import { forEachDatabase } from '../helpers/database.js'

const count = async (
  database: Database, table: typeof usageLogs | typeof promptConfigs | typeof promptStats
): Promise<number> =>
  await database.operator.$count(table)

forEachDatabase(t, 'a record is in every table, whole and exact', async (t, database) => {
  const record = callRecord({
    storeFullData: true,
    newConfig: { trackFullData: true, isActive: true },
    keyId: '019aa7a0-0000-7000-8000-000000000001',
    costPicoUsd: 123_456_789_012_345_678n
  })
  await createBatchWriter(database)
    .write(batchOf({ record, payload: { prompt: '{"a":1}', response: '{"b":"\\"2\\""}' } }))

  const [config] = await database.operator.select().from(promptConfigs)
  t.match(config, {
    prompt_type: 'summarize', description: 'Summarizes a page', track_full_data: true, is_active: true
  })
  const [row] = await database.operator.select().from(usageLogs)
  t.match(row, {
    id: record.id,
    prompt_type: 'summarize',
    prompt_config_id: config?.id,
    task_description: 'Summarizes a page',
    provider: 'openai',
    endpoint: 'chat/completions',
    request_model: 'gpt-4o-mini',
    response_model: 'gpt-4o-mini-2024-07-18',
    service_tier: 'default',
    user_name: 'ann',
    key_id: '019aa7a0-0000-7000-8000-000000000001',
    metadata: '{"page":1}',
    stream: false,
    status_code: 200,
    success: true,
    error_type: null,
    error_message: null,
    input_tokens: 100,
    cached_input_tokens: 20,
    output_tokens: 10,
    reasoning_tokens: 0,
    usage_source: 'upstream',
    cost: '123456.789012345678',
    cost_reason: null,
    duration_ms: 800,
    time_to_first_byte_ms: 700,
    upstream_request_id: 'req_1',
    request_bytes: 400,
    response_bytes: 900,
    prompt: '{"a":1}',
    response: '{"b":"\\"2\\""}'
  })
  t.equal(Date.parse(row?.created_at ?? ''), record.createdAtMs)
  const [stats] = await database.operator.select().from(promptStats)
  t.match(stats, {
    prompt_type: 'summarize',
    total_calls: 1,
    failed_calls: 0,
    blocked_calls: 0,
    unpriced_calls: 0,
    total_input_tokens: 100,
    total_output_tokens: 10,
    total_cost: '123456.789012345678',
    last_call_id: record.id,
    last_prompt: '{"a":1}',
    last_response: '{"b":"\\"2\\""}',
    last_model: 'gpt-4o-mini-2024-07-18',
    last_input_tokens: 100,
    last_output_tokens: 10,
    last_cost: '123456.789012345678',
    last_user: 'ann',
    last_metadata: '{"page":1}',
    last_duration_ms: 800,
    last_status_code: 200,
    last_success: true,
    last_error: null
  })
  const [rollup] = await database.operator.select().from(usageRollups)
  t.match(rollup, {
    prompt_type: 'summarize',
    model: 'gpt-4o-mini-2024-07-18',
    user_name: 'ann',
    calls: 1,
    failed_calls: 0,
    unpriced_calls: 0,
    input_tokens: 100,
    cached_input_tokens: 20,
    output_tokens: 10,
    reasoning_tokens: 0,
    cost: '123456.789012345678',
    duration_ms: 800
  })
  t.equal(Date.parse(rollup?.hour ?? ''), Date.UTC(2026, 10, 20, 12))
})

forEachDatabase(t, 'an empty batch is nothing', async (t, database) => {
  await createBatchWriter(database).write(batchOf())
  t.equal(await count(database, promptStats), 0)
})

/** Sums by prompt type, made with nothing but BigInt. */
const reference = (records: readonly CallRecord[], promptType: string): Record<string, unknown> => {
  const own = records.filter(record => record.promptType === promptType)
  const sum = (value: (record: CallRecord) => number | bigint | null): bigint =>
    own.reduce((total, record) => total + BigInt(value(record) ?? 0), 0n)
  return {
    prompt_type: promptType,
    calls: BigInt(own.length),
    failed: sum(({ success }) => success ? 0 : 1),
    input: sum(({ inputTokens }) => inputTokens),
    output: sum(({ outputTokens }) => outputTokens),
    cost: sum(({ costPicoUsd }) => costPicoUsd)
  }
}

forEachDatabase(t, 'however records are split into batches, the totals are exact', async (t, database) => {
  const writer = createBatchWriter(database)
  const record = fc.record({
    promptType: fc.constantFrom('a', 'b', 'c', 'd:e-f_g.h'),
    createdAtMs: fc.integer({ min: Date.UTC(2026, 9, 31, 22), max: Date.UTC(2026, 10, 1, 2) }),
    user: fc.constantFrom('ann', 'bob', null),
    responseModel: fc.constantFrom('gpt-4o', 'o3', null),
    success: fc.boolean(),
    logged: fc.boolean(),
    inputTokens: fc.option(fc.nat()),
    outputTokens: fc.option(fc.nat()),
    costPicoUsd: fc.option(fc.bigInt({ min: 0n, max: 10n ** 20n }))
  })
  await fc.assert(fc.asyncProperty(fc.array(fc.array(record, { maxLength: 12 }), {
    minLength: 1, maxLength: 6
  }), async batches => {
    await database.operator.execute(sql`truncate ${promptConfigs}, ${promptStats}, ${usageRollups}, ${usageLogs}`)
    const written = batches.map(records => records.map(wanted => entry(wanted)))
    await Promise.all(written.map(async entries => await writer.write(batchOf(...entries))))
    const records = written.flat().map(({ record }) => record)

    const stats = await database.operator.select().from(promptStats)
    const rollups = await database.operator.execute<Record<string, string>>(sql`select prompt_type, sum(calls) as calls, sum(failed_calls) as failed,
      sum(input_tokens) as input, sum(output_tokens) as output, sum(cost) as cost from ${usageRollups} group by prompt_type`)
    const expected = [...new Set(records.map(({ promptType }) => promptType))].sort()
      .map(type => reference(records, type))
    const byType = (a: { prompt_type: unknown }, b: { prompt_type: unknown }): number =>
      String(a.prompt_type) < String(b.prompt_type) ? -1 : 1
    t.same(stats.sort(byType).map(row => ({
      prompt_type: row.prompt_type,
      calls: BigInt(row.total_calls),
      failed: BigInt(row.failed_calls),
      input: BigInt(row.total_input_tokens),
      output: BigInt(row.total_output_tokens),
      cost: decimalToPicoUsd(row.total_cost)
    })), expected)
    t.same(rollups.map(row => ({
      prompt_type: row['prompt_type'],
      calls: BigInt(row['calls'] ?? ''),
      failed: BigInt(row['failed'] ?? ''),
      input: BigInt(row['input'] ?? ''),
      output: BigInt(row['output'] ?? ''),
      cost: decimalToPicoUsd(row['cost'] ?? '')
    })).sort(byType), expected)
    t.equal(await count(database, usageLogs), records.filter(({ logged }) => logged).length)
  }), { numRuns: 25 })
})

forEachDatabase(t, 'the latest call is the one with the latest end, not the one written last', async (t, database) => {
  const writer = createBatchWriter(database)
  const at = Date.UTC(2026, 10, 20)
  const latest = async (): Promise<unknown> =>
    (await database.operator.select({ user: promptStats.last_user, prompt: promptStats.last_prompt })
      .from(promptStats))[0]
  const payload = { prompt: '"b"', response: '"b"' }
  await writer.write(
    batchOf(
      entry({ user: 'a', createdAtMs: at }),
      entry({ user: 'b', createdAtMs: at + 2 }, payload),
      entry({ user: 'c', createdAtMs: at + 1 })
    )
  )
  t.same(await latest(), { user: 'b', prompt: '"b"' })
  await writer.write(batchOf(entry({ user: 'd', createdAtMs: at + 1 })))
  t.same(await latest(), { user: 'b', prompt: '"b"' })
  await writer.write(batchOf(entry({ user: 'e', createdAtMs: at + 2 })))
  t.same(await latest(), { user: 'e', prompt: null })
})

forEachDatabase(t, 'an inactive type has statistics and no rows, and payloads only go into rows that ask for them', async (
  t, database
) => {
  const payload = { prompt: '"p"', response: '"r"' }
  await createBatchWriter(database).write(batchOf(
    entry({ promptType: 'off', logged: false, newConfig: { trackFullData: false, isActive: false } }, payload),
    entry({ promptType: 'on' }, payload)
  ))
  const rows = await database.operator.select({ type: usageLogs.prompt_type, prompt: usageLogs.prompt }).from(usageLogs)
  t.same(rows, [{ type: 'on', prompt: null }])
  const stats = await database.operator.select({ calls: promptStats.total_calls, prompt: promptStats.last_prompt })
    .from(promptStats)
  t.same(stats, [{ calls: 1, prompt: '"p"' }, { calls: 1, prompt: '"p"' }])
})

forEachDatabase(t, 'a call counts as unpriced when it had usage, or should have had, and no price is known', async (
  t, database
) => {
  const free = { costPicoUsd: null, inputTokens: null, outputTokens: null } as const
  const failed = { success: false, statusCode: 500 } as const
  const cases: [string, Partial<CallRecord>][] = [
    ['unpriced-unknown-model', { costPicoUsd: null, costReason: 'unknown_model' }],
    ['unpriced-no-usage', { ...free, costReason: 'no_usage' }],
    ['unpriced-cut-stream', { ...failed, costPicoUsd: null, costReason: 'unknown_model' }],
    ['not-metered', { ...free, costReason: 'not_metered' }],
    ['failed', { ...free, ...failed, costReason: 'no_usage' }],
    ['priced', {}]
  ]
  await createBatchWriter(database)
    .write(batchOf(...cases.map(([promptType, wanted]) => entry({ promptType, ...wanted }))))
  const unpriced = await database.operator.select({ type: promptStats.prompt_type, calls: promptStats.unpriced_calls })
    .from(promptStats)
  t.same(
    new Map(unpriced.map(({ type, calls }) => [type, calls])),
    new Map(cases.map(([type]) => [type, type.startsWith('unpriced') ? 1 : 0]))
  )
})

forEachDatabase(t, 'a deleted config leaves its rows without one, and its type’s next call makes it anew', async (
  t, database
) => {
  const writer = createBatchWriter(database)
  await writer.write(batchOf(entry()))
  await database.operator.delete(promptConfigs)
  t.same(await database.operator.select({ type: usageLogs.prompt_type, config: usageLogs.prompt_config_id })
    .from(usageLogs),
  [{ type: 'summarize', config: null }])
  t.equal(await count(database, promptStats), 0)
  await writer.write(batchOf(entry()))
  const [config] = await database.operator.select().from(promptConfigs)
  const rows = await database.operator.select({ config: usageLogs.prompt_config_id }).from(usageLogs)
    .where(sql`${usageLogs.prompt_config_id} is not null`)
  t.same(rows, [{ config: config?.id }])
})
