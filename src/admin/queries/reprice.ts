import { eq, gte, isNotNull, lt, ne, or, sql, type SQL } from 'drizzle-orm'
import { lockKeys } from '../../db/advisory-locks.js'
import type { Drizzle } from '../../db/database.js'
import { errorCode } from '../../db/database-errors.js'
import { readOperatorPrices } from '../../db/policy-store.js'
import { promptConfigs, usageLogs } from '../../db/schema/index.js'
import { createPricing, type Pricing } from '../../pricing/pricing.js'
import { textUsage, withUsageDetails } from '../../pricing/token-usage.js'
import { costOrNull } from '../../recording/batch-totals.js'
import { decimalToPicoUsd, picoUsdToDecimal, picoUsdToNumber } from '../../lib/usd.js'
import type { Repriced, RepriceFilter } from '../schemas/reprice.js'
import { all, inUtc } from './expressions.js'
import type { ChangePolicy } from './policy-change.js'
import { applyCostChanges, createCostChanges, keepCostChanges, type CostChange } from './reprice-books.js'

/** The rows of a page. Pricing and writing a page occupies the event loop and memory. */
const PAGE_ROWS = 1000
const MAX_ATTEMPTS = 5
/** Deadlock and serialisation failure, https://www.postgresql.org/docs/current/errcodes-appendix.html */
const retried = /^40(001|P01)$/

/** A call as the log has it: what decides its cost, and where it is counted. */
interface LogRow extends Record<string, unknown> {
  readonly id: string
  /** As Postgres writes it, to its last digit. */
  readonly created_at: string
  readonly created_at_ms: number
  readonly duration_ms: number
  readonly prompt_type: string
  /** It counts in its prompt type's statistics. */
  readonly in_stats: boolean
  readonly provider: string
  readonly request_model: string | null
  readonly response_model: string | null
  readonly service_tier: string | null
  readonly user_name: string | null
  readonly input_tokens: number | null
  readonly cached_input_tokens: number | null
  readonly output_tokens: number | null
  readonly reasoning_tokens: number | null
  readonly usage_details: string | null
  readonly cost: string | null
}

/**
 * Computes the costs of logged calls again, in one transaction (docs/decisions/0013-repricing.md). Null if another
 * repricing is running. Calls whose tokens the log does not contain are not changed.
 */
export async function reprice (
  changePolicy: ChangePolicy, filter: RepriceFilter, nowMs: number
): Promise<Repriced | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await changePolicy(async (transaction, audit) => {
        const [lock] = await transaction.execute<{ held: boolean }>(
          sql`select pg_try_advisory_xact_lock(${lockKeys('reprice')}) as held`
        )
        if (lock?.held !== true) return null
        const repriced = await repriceAll(transaction, filter, nowMs)
        const { rows, cost_before: before, cost_after: after } = repriced
        await audit({
          action: 'usage_log.reprice',
          target: filter.prompt_type ?? '*',
          before: { cost: before },
          after: { cost: after, rows, filter: { ...filter, only_unpriced: filter.only_unpriced ?? true } }
        })
        return repriced
      })
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !retried.test(errorCode(error))) throw error
    }
  }
}

async function repriceAll (transaction: Drizzle, filter: RepriceFilter, nowMs: number): Promise<Repriced> {
  // As long as it takes; the locks that calls may wait for come at the very end.
  await transaction.execute(sql`set local statement_timeout = 0`)
  // After minutes of work, the transaction waits for the locks on the rows at the end.
  await transaction.execute(sql`set local lock_timeout = 0`)
  await keepConfigs(transaction, filter)
  await createCostChanges(transaction)
  const pricing = await pricingByProvider(transaction)
  let rows = 0
  let before = 0n
  let after = 0n
  for (let place: LogRow | undefined; ;) {
    const page = await readPage(transaction, filter, place)
    const changes = page.flatMap(row => costChange(row, pricing(row.provider)) ?? [])
    await writeCosts(transaction, changes)
    await keepCostChanges(transaction, changes)
    rows += changes.length
    for (const change of changes) {
      before += change.before ?? 0n
      after += change.after ?? 0n
    }
    if (page.length < PAGE_ROWS) break
    place = page.at(-1)
  }
  if (rows > 0) await applyCostChanges(transaction, nowMs)
  return { rows, cost_before: picoUsdToNumber(before), cost_after: picoUsdToNumber(after) }
}

/** Deleting a config updates its log rows, and then its statistics; here the order is reversed. */
async function keepConfigs (transaction: Drizzle, { prompt_type: promptType }: RepriceFilter): Promise<void> {
  await transaction.execute(sql`select count(*) from (
    select from ${promptConfigs} where ${promptType === undefined ? sql`true` : eq(promptConfigs.prompt_type, promptType)}
    order by ${promptConfigs.id} for key share) as locked`)
}

/** A log may hold calls to several providers, of the times before and after `UPSTREAM_PROVIDER` was changed. */
async function pricingByProvider (transaction: Drizzle): Promise<(provider: string) => Pricing> {
  const prices = await readOperatorPrices(transaction)
  const known = new Map<string, Pricing>()
  return provider => {
    const pricing = known.get(provider) ?? createPricing({ provider, prices })
    known.set(provider, pricing)
    return pricing
  }
}

/** The rows after `place`, in the order of their time. Only a repricing changes costs, so they need no lock. */
async function readPage (transaction: Drizzle, filter: RepriceFilter, place: LogRow | undefined): Promise<LogRow[]> {
  const { from, to, prompt_type: promptType, only_unpriced: onlyUnpriced = true } = filter
  return await transaction.execute<LogRow>(sql`
    select id, created_at::text, (extract(epoch from created_at) * 1000)::float8 as created_at_ms, duration_ms, prompt_type,
      prompt_config_id is not null as in_stats, provider, request_model, response_model, service_tier, user_name,
      input_tokens::float8, cached_input_tokens::float8, output_tokens::float8, reasoning_tokens::float8, usage_details, cost::text
    from ${usageLogs}
    where ${all(
      or(isNotNull(usageLogs.input_tokens), isNotNull(usageLogs.output_tokens)),
      onlyUnpriced ? all(sql`${usageLogs.cost} is null`, ne(usageLogs.cost_reason, sql`'not_metered'`)) : undefined,
      promptType === undefined ? undefined : eq(usageLogs.prompt_type, promptType),
      from === undefined ? undefined : gte(usageLogs.created_at, inUtc(from)),
      to === undefined ? undefined : lt(usageLogs.created_at, inUtc(to)),
      place === undefined ? undefined : isAfter(place)
    )}
    order by ${usageLogs.created_at}, ${usageLogs.id} limit ${PAGE_ROWS}`)
}

/** The first condition spares the planner the months before it. */
const isAfter = ({ created_at: createdAt, id }: LogRow): SQL =>
  sql`(${usageLogs.created_at} >= ${createdAt}::timestamptz and (${usageLogs.created_at}, ${usageLogs.id}) > (${createdAt}::timestamptz, ${id}::uuid))`

/** What a call costs now, if that is not what the log says. */
function costChange (row: LogRow, pricing: Pricing): CostChange | null {
  const tokens = {
    ...textUsage(row.input_tokens ?? 0, row.output_tokens ?? 0),
    cachedInputTokens: row.cached_input_tokens ?? 0,
    reasoningTokens: row.reasoning_tokens ?? 0
  }
  const usage = withUsageDetails(tokens, row.usage_details)
  // What was used cannot be told any more: the cost stays as it was.
  if (usage === null) return null
  const { costPicoUsd } = pricing.price({
    responseModel: row.response_model,
    requestModel: row.request_model,
    serviceTier: row.service_tier,
    usage,
    // Prices are those of the time at which the call began, as when it was recorded.
    atMs: row.created_at_ms - row.duration_ms
  })
  const before = row.cost === null ? null : decimalToPicoUsd(row.cost)
  const after = costOrNull(costPicoUsd)
  if (before === after) return null
  return {
    id: row.id,
    createdAt: row.created_at,
    createdAtMs: row.created_at_ms,
    promptType: row.prompt_type,
    inStats: row.in_stats,
    model: row.response_model ?? row.request_model ?? '',
    user: row.user_name ?? '',
    before,
    after
  }
}

async function writeCosts (transaction: Drizzle, changes: readonly CostChange[]): Promise<void> {
  const first = changes[0]
  const last = changes.at(-1)
  if (first === undefined || last === undefined) return
  const costs = JSON.stringify(changes.map(({ id, createdAt, after }) =>
    ({ id, created_at: createdAt, cost: after === null ? null : picoUsdToDecimal(after) })))
  await transaction.execute(sql`
    update ${usageLogs} set cost = new.cost, cost_reason = case when new.cost is null then 'unknown_model' end
    from jsonb_to_recordset(${costs}::text::jsonb) as new (id uuid, created_at timestamptz, cost numeric)
    where ${usageLogs.id} = new.id and ${usageLogs.created_at} = new.created_at
      and ${usageLogs.created_at} between ${first.createdAt}::timestamptz and ${last.createdAt}::timestamptz`)
}
