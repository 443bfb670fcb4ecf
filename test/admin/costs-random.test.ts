import t from 'tap'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import type { Database } from '../../src/db/database.js'
import { gatewaySettings, staleDays, usageRollups, usageSummaries } from '../../src/db/schema/index.js'
import { costFigures } from '../../src/admin/costs/cost-response.js'
import {
  greatestChanges, inSnapshot, readSummaryState, sumCosts, type CostQuestion
} from '../../src/admin/costs/cost-sums.js'
import { COST_INTERVALS, startOf, type CostRange } from '../../src/admin/costs/cost-range.js'
import { advanceSummaries, summariseStaleDays } from '../../src/jobs/summaries.js'
import { onEachDatabase } from './each-database.js'
import { rollupRow, type RollupRow } from './rollup-rows.js'

// Whatever was summed up, however far, and whatever came late: costs are what a plain sum over the rollups says.

const HOUR_MS = 3_600_000
const firstMs = Date.UTC(2027, 11, 20)
const hours = 24 * 110 // Until past the leap day of 2028.

const timeMs = fc.integer({ min: 0, max: hours }).map(hour => firstMs + hour * HOUR_MS)
const call = fc.record({
  hour: timeMs.map(ms => new Date(ms).toISOString()),
  prompt_type: fc.constantFrom('a', 'b', 'c'),
  model: fc.constantFrom('', 'm', 'n n'),
  user_name: fc.constantFrom('', 'u'),
  calls: fc.integer({ min: 0, max: 5 }),
  blocked_calls: fc.nat(2),
  cost: fc.bigInt({ min: 0n, max: 10n ** 14n })
    .map(pico => `${pico / 10n ** 12n}.${(pico % 10n ** 12n).toString().padStart(12, '0')}`),
  duration_ms: fc.nat(1000)
}).map(fields => rollupRow(fields))

type Step = { readonly write: RollupRow } | { readonly advanceTo: number } | { readonly summarise: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: call.map(write => ({ write })) },
  { weight: 1, arbitrary: timeMs.map(advanceTo => ({ advanceTo })) },
  { weight: 1, arbitrary: fc.nat(60).map(summarise => ({ summarise })) })

const question: fc.Arbitrary<CostQuestion> = fc.record({
  times: fc.tuple(timeMs, timeMs),
  wide: fc.constantFrom(null, 'day', 'week', 'month', 'quarter'),
  dimension: fc.constantFrom('all', 'prompt_type', 'model', 'user'),
  interval: fc.constantFrom(...COST_INTERVALS),
  promptType: fc.option(fc.constantFrom('a', 'b', 'none'), { nil: undefined }),
  groups: fc.option(fc.constant(['', 'a', 'm']), { nil: undefined, freq: 5 })
}).map(({ times: [a, b], wide, dimension, interval, promptType, groups }) => {
  const [fromMs, toMs] = [Math.min(a, b), Math.max(a, b)].map(ms =>
    wide === null ? ms : startOf(wide as 'day', ms)) as [number, number]
  return {
    range: { fromMs, toMs: Math.max(toMs, fromMs + HOUR_MS) },
    dimension,
    interval,
    most: 100_000,
    ...promptType === undefined ? {} : { promptType },
    ...groups === undefined || dimension === 'all' ? {} : { groups }
  }
})

/** As the recorder does it: a call into an hour that is summed up makes its day stale. */
async function write (database: Database, row: RollupRow): Promise<void> {
  await database.recording.transaction(async tx => {
    await tx.insert(usageRollups).values(row).onConflictDoUpdate({
      target: [usageRollups.hour, usageRollups.prompt_type, usageRollups.model, usageRollups.user_name],
      set: { calls: sql`usage_rollups.calls + excluded.calls`, cost: sql`usage_rollups.cost + excluded.cost` }
    })
    await tx.execute(sql`insert into ${staleDays} (day)
      select (${row.hour}::timestamptz at time zone 'UTC')::date from ${gatewaySettings} where ${row.hour}::timestamptz < summarised_to::timestamp at time zone 'UTC'
      on conflict (day) do update set day = excluded.day`)
  })
}

async function take (database: Database, step: Step): Promise<void> {
  if ('write' in step) await write(database, step.write)
  else if ('advanceTo' in step) await advanceSummaries(database.operator, step.advanceTo)
  else {
    let left = step.summarise
    const closing = { get aborted () { return left-- <= 0 } } as AbortSignal
    await summariseStaleDays(database.operator, closing)
  }
}

/** `group bucketMs calls blocked_calls costUsd`, sorted. */
const lines = (
  sums: ReadonlyArray<{ group: string, bucketMs: number | null, calls: number, blocked_calls: number, costUsd: string }>
): string[] =>
  sums.map(({
    group, bucketMs, calls, blocked_calls: blocked, costUsd
  }) => `${group} ${bucketMs ?? '-'} ${calls} ${blocked} ${costUsd}`)
    .sort()

async function plainSums (
  database: Database, { range, dimension, interval, promptType, groups }: CostQuestion
): Promise<string[]> {
  const rows = await database.operator.select().from(usageRollups)
  const sums = new Map<string, {
    group: string, bucketMs: number | null, calls: number, blocked_calls: number, pico: bigint
  }>()
  for (const row of rows) {
    const hourMs = Date.parse(row.hour)
    const group = dimension === 'all' ? '' : dimension === 'user' ? row.user_name : row[dimension]
    if (hourMs < range.fromMs || hourMs >= range.toMs || (promptType ?? row.prompt_type) !== row.prompt_type ||
      groups?.includes(group) === false) continue
    const bucketMs = interval === 'none' ? null : startOf(interval, hourMs)
    const sum = sums.get(`${group} ${bucketMs ?? '-'}`) ?? { group, bucketMs, calls: 0, blocked_calls: 0, pico: 0n }
    sum.calls += row.calls
    sum.blocked_calls += row.blocked_calls
    sum.pico += BigInt(row.cost.replace('.', ''))
    sums.set(`${group} ${bucketMs ?? '-'}`, sum)
  }
  const usd = (pico: bigint): string => `${pico / 10n ** 12n}.${(pico % 10n ** 12n).toString().padStart(12, '0')}`
  return lines([...sums.values()].map(({ pico, ...sum }) => ({ ...sum, costUsd: usd(pico) })))
}

/** What changed against the period before, by two sums: `group now before`, the greatest change first. */
async function plainChanges (
  database: Database, question: Omit<CostQuestion, 'interval'>, before: CostRange
): Promise<string[]> {
  const costs = async (range: CostRange): Promise<Map<string, bigint>> => {
    const sums = await plainSums(database, { ...question, range, interval: 'none' })
    return new Map(sums.map(line => {
      const [, group = '', cost = ''] = /^(.*) - \d+ \d+ (\S+)$/.exec(line) ?? []
      return [group, BigInt(cost.replace('.', ''))]
    }))
  }
  const [now, then] = [await costs(question.range), await costs(before)]
  const change = (group: string): bigint => (now.get(group) ?? 0n) - (then.get(group) ?? 0n)
  const size = (group: string): bigint => change(group) < 0n ? -change(group) : change(group)
  return [...new Set([...now.keys(), ...then.keys()])]
    .sort((a, b) => size(a) === size(b) ? (a < b ? -1 : 1) : size(a) < size(b) ? 1 : -1)
    .map(group => `${group} ${Number(now.get(group) ?? 0n) / 1e12} ${Number(then.get(group) ?? 0n) / 1e12}`)
}

onEachDatabase(t, 'costs are what a plain sum over the rollups says, whatever was summed up and whatever came late', async (
  t, database
) => {
  await fc.assert(fc.asyncProperty(fc.array(step, {
    minLength: 5, maxLength: 40
  }), fc.array(question, { minLength: 5, maxLength: 12 }), async (steps, questions) => {
    await database.operator.execute(sql`truncate ${usageRollups}, ${usageSummaries}, ${staleDays}`)
    await database.operator.update(gatewaySettings).set({ summarised_to: null })
    for (const step of steps) await take(database, step)
    for (const question of questions) {
      const sums = await inSnapshot(database.operator, async snapshot =>
        await sumCosts(snapshot, await readSummaryState(snapshot, question.range), question))
      t.strictSame(lines(sums.map(sum => ({ ...sum, ...costFigures(sum) }))), await plainSums(database, question))
      const { interval: _interval, groups: _groups, ...asked } = question
      const { fromMs, toMs } = question.range
      const before = { fromMs: 2 * fromMs - toMs, toMs: fromMs }
      const changes = await inSnapshot(database.operator, async snapshot =>
        await greatestChanges(
          snapshot, await readSummaryState(snapshot, { fromMs: before.fromMs, toMs }), before, asked
        ))
      t.strictSame(
        changes.map(({ group, cost, previousCost }) => `${group} ${cost} ${previousCost}`),
        await plainChanges(database, asked, before)
      )
    }
  }), { numRuns: 15 })
})
