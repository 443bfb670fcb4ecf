import { sql, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import {
  budgetPeriods, budgets, gatewaySettings, promptStats, staleDays, usageLogs, usageRollups
} from '../../db/schema/index.js'
import { keyText } from '../../recording/batch-totals.js'
import { picoUsdToDecimal } from '../../lib/usd.js'

/** A call whose cost has changed, and where it is counted. Costs are in 10⁻¹² USD, null where there is none. */
export interface CostChange {
  readonly id: string
  /** As Postgres writes it, to its last digit. */
  readonly createdAt: string
  readonly createdAtMs: number
  readonly promptType: string
  /** It counts in its prompt type's statistics: the type's config was not deleted since. */
  readonly inStats: boolean
  readonly model: string
  readonly user: string
  readonly before: bigint | null
  readonly after: bigint | null
}

interface SumOfChanges {
  hour: string
  prompt_type: string
  model: string
  user_name: string
  in_stats: boolean
  cost: bigint
  unpriced: number
}

const HOUR_MS = 3_600_000

/**
 * What the transaction has changed, by what it is counted under: in the database, for there may be any number of them.
 */
const changes = sql.identifier('reprice_changes')
/** The same, by budget and period. */
const charges = sql.identifier('reprice_charges')

export async function createCostChanges (transaction: Drizzle): Promise<void> {
  await transaction.execute(sql`create temp table ${changes} (
    hour timestamptz, prompt_type text, model text, user_name text, in_stats boolean, cost numeric, unpriced bigint
  ) on commit drop`)
}

/** Adds changes of costs to those that are to be applied, under the same keys as in batches. */
export async function keepCostChanges (transaction: Drizzle, costChanges: readonly CostChange[]): Promise<void> {
  if (costChanges.length === 0) return
  const sums = new Map<string, SumOfChanges>()
  for (const change of costChanges) {
    const hour = new Date(Math.floor(change.createdAtMs / HOUR_MS) * HOUR_MS).toISOString()
    const model = keyText(change.model)
    const user = keyText(change.user)
    const key = [hour, change.promptType, model, user, change.inStats].join('\0')
    let sum = sums.get(key)
    if (sum === undefined) {
      sum = {
        hour, prompt_type: change.promptType, model, user_name: user, in_stats: change.inStats, cost: 0n, unpriced: 0
      }
      sums.set(key, sum)
    }
    sum.cost += (change.after ?? 0n) - (change.before ?? 0n)
    sum.unpriced += (change.after === null ? 1 : 0) - (change.before === null ? 1 : 0)
  }
  const rows = JSON.stringify([...sums.values()].map(sum => ({ ...sum, cost: picoUsdToDecimal(sum.cost) })))
  await transaction.execute(sql`insert into ${changes} select * from jsonb_to_recordset(${rows}::text::jsonb)
    as new (hour timestamptz, prompt_type text, model text, user_name text, in_stats boolean, cost numeric, unpriced bigint)`)
}

/**
 * Corrects all sums of costs. From here to the commit, batches that count the same rows wait. Rows are locked in the
 * order in which batches lock them (drizzle/0003_write_batch_v2.sql): statistics, rollups, stale days, budgets'
 * periods, each sorted by its key. Only differences are added, so concurrent additions do not matter.
 */
export async function applyCostChanges (transaction: Drizzle, nowMs: number): Promise<void> {
  await transaction.execute(sql`analyze ${changes}`)
  await applyToStatistics(transaction)
  await applyToRollups(transaction)
  await markStaleDays(transaction)
  await applyToBudgets(transaction, new Date(nowMs).toISOString())
}

/** Locks the rows that a query names, in its order. */
const lockRows = async (transaction: Drizzle, rows: SQL): Promise<void> => {
  await transaction.execute(sql`select count(*) from (${rows} for no key update) as locked`)
}

async function applyToStatistics (transaction: Drizzle): Promise<void> {
  const touched = sql`select prompt_type from ${changes} where in_stats`
  await lockRows(
    transaction, sql`select from ${promptStats} where prompt_type in (${touched}) order by prompt_type collate "C"`
  )
  await transaction.execute(sql`
    update ${promptStats} as stats set total_cost = stats.total_cost + changed.cost, unpriced_calls = stats.unpriced_calls + changed.unpriced
    from (select prompt_type, sum(cost) as cost, sum(unpriced) as unpriced from ${changes} where in_stats group by prompt_type) as changed
    where stats.prompt_type = changed.prompt_type`)
  await transaction.execute(sql`
    update ${promptStats} as stats set last_cost = last.cost
    from (
      select counted.prompt_type, call.cost from ${promptStats} as counted
      cross join lateral (
        select cost from ${usageLogs} where id = counted.last_call_id and created_at = counted.last_called_at limit 1
      ) as call
      where counted.prompt_type in (${touched})
    ) as last
    where stats.prompt_type = last.prompt_type and stats.last_cost is distinct from last.cost`)
}

async function applyToRollups (transaction: Drizzle): Promise<void> {
  await lockRows(transaction, sql`
    select from ${usageRollups} as rollup
    where exists (
      select from ${changes} as change where change.hour = rollup.hour and change.prompt_type = rollup.prompt_type
        and change.model = rollup.model and change.user_name = rollup.user_name
    )
    order by rollup.hour, rollup.prompt_type collate "C", rollup.model collate "C", rollup.user_name collate "C"`)
  await transaction.execute(sql`
    update ${usageRollups} as rollup set cost = rollup.cost + changed.cost, unpriced_calls = rollup.unpriced_calls + changed.unpriced
    from (
      select hour, prompt_type, model, user_name, sum(cost) as cost, sum(unpriced) as unpriced from ${changes} group by 1, 2, 3, 4
    ) as changed
    where rollup.hour = changed.hour and rollup.prompt_type = changed.prompt_type and rollup.model = changed.model
      and rollup.user_name = changed.user_name`)
}

/** Behind the first change of a rollup: from then on the date stays where it is (src/jobs/summaries.ts). */
async function markStaleDays (transaction: Drizzle): Promise<void> {
  await transaction.execute(sql`
    insert into ${staleDays} (day)
    select distinct (hour at time zone 'UTC')::date as day from ${changes}, ${gatewaySettings}
    where hour < ${gatewaySettings.summarised_to}::timestamp at time zone 'UTC' order by day
    on conflict (day) do update set day = excluded.day`)
}

/** Of the periods since a budget was made, and of earlier ones that something was counted in. */
async function applyToBudgets (transaction: Drizzle, now: string): Promise<void> {
  await transaction.execute(sql`
    create temp table ${charges} on commit drop as
    select budget.id as budget_id, budget_period_start(budget.period, change.hour) as period_start, sum(change.cost) as cost
    from ${changes} as change join ${budgets} as budget on budget.prompt_type is null or budget.prompt_type = change.prompt_type
    group by 1, 2`)
  await transaction.execute(sql`
    insert into ${budgetPeriods} as spent (budget_id, period_start)
    select charge.budget_id, charge.period_start from ${charges} as charge join ${budgets} as budget on budget.id = charge.budget_id
    where charge.period_start >= budget_period_start(budget.period, budget.created_at)
      or exists (select from ${budgetPeriods} as old where old.budget_id = charge.budget_id and old.period_start = charge.period_start)
    order by 1, 2
    on conflict (budget_id, period_start) do update set revision = spent.revision`)
  await transaction.execute(sql`
    update ${budgetPeriods} as spent set spent_usd = greatest(spent.spent_usd + charge.cost, 0), revision = spent.revision + 1
    from ${charges} as charge where spent.budget_id = charge.budget_id and spent.period_start = charge.period_start`)
  await transaction.execute(sql`
    select fire_budget_alerts(charge.budget_id, charge.period_start, ${now}::timestamptz)
    from (select charge.* from ${charges} as charge join ${budgetPeriods} using (budget_id, period_start) order by budget_id, period_start) as charge`)
}
