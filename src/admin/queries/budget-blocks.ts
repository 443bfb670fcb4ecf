import { eq, isNotNull, isNull, sql, type AnyColumn, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { budgetLifts, budgetPeriods, budgets } from '../../db/schema/index.js'
import { all, instant, instantNotNull } from './expressions.js'

/** A budget that stops the calls of a prompt type. Moments are RFC 3339, UTC. */
export interface Block {
  readonly budget_id: string
  readonly since: string
  /** Null: a budget without periods. */
  readonly until: string | null
}

/** The start of a budget's period (src/budget-period.ts) at that moment, milliseconds since the epoch. */
export const periodStart = (nowMs: number): SQL<string> =>
  sql<string>`(case when ${budgets.period} = 'total' then timestamptz 'epoch'
  else date_trunc(${budgets.period}, ${new Date(nowMs).toISOString()}::timestamptz, 'UTC') end)`

/** The first moment after it; null where there is none. */
export const periodEnd = (nowMs: number): SQL => sql`(case when ${budgets.period} <> 'total' then
  (date_trunc(${budgets.period}, ${new Date(nowMs).toISOString()}::timestamptz, 'UTC') at time zone 'UTC' + ('1 ' || ${budgets.period})::interval)
  at time zone 'UTC' end)`

/** The blocking budgets whose limit is reached at that moment, of one prompt type each or of all traffic. */
const spentBudgets = (nowMs: number, scope: SQL): SQL => sql`${budgets} join ${budgetPeriods}
  on ${budgetPeriods.budget_id} = ${budgets.id} and ${budgetPeriods.period_start} = ${periodStart(nowMs)}
  and ${budgets.action} = 'block' and ${budgetPeriods.spent_usd} >= ${budgets.limit_usd} and ${scope}`

/** That an operator has lifted the budget's block of the prompt type in this period. */
const isLift = (promptType: AnyColumn | SQL): SQL => all(
  eq(budgetLifts.budget_id, budgets.id), eq(
    budgetLifts.period_start, budgetPeriods.period_start
  ), sql`${budgetLifts.prompt_type} = ${promptType}`)

/**
 * Whether a budget blocks a row's prompt type at that moment. Each part is one set for all rows, computed once:
 * thousands of rows are not compared with a thousand budgets one by one.
 */
export function isBlocked (promptType: AnyColumn, nowMs: number): SQL {
  const own = isNotNull(budgets.prompt_type)
  const ofAllTraffic = spentBudgets(nowMs, isNull(budgets.prompt_type))
  return sql`(${promptType} in (
    select ${budgets.prompt_type} from ${spentBudgets(nowMs, own)} where not exists (select from ${budgetLifts} where ${isLift(budgets.prompt_type)})
  ) or exists (select from ${ofAllTraffic}) and ${promptType} not in (
    select ${budgetLifts.prompt_type} from ${ofAllTraffic} join ${budgetLifts} on ${isLift(sql`${budgetLifts.prompt_type}`)}
    group by ${budgetLifts.prompt_type} having count(*) = (select count(*) from ${ofAllTraffic})
  ))`
}

/** For each blocked prompt type at that moment, the block that ends last. */
export async function findBlocks (
  database: Drizzle, promptTypes: readonly string[], nowMs: number
): Promise<ReadonlyMap<string, Block>> {
  const since = sql`coalesce(${budgetPeriods.exceeded_at}, ${budgetPeriods.period_start})`
  const rows = await database.execute<{ prompt_type: string } & Block & Record<string, unknown>>(sql`
    with spent as materialized (
      select ${budgets.id} as budget_id, ${budgets.prompt_type} as scope, ${budgetPeriods.period_start} as period_start, ${since} as since, ${periodEnd(nowMs)} as until
      from ${spentBudgets(nowMs, sql`true`)}
    )
    select types.prompt_type, block.budget_id, ${instantNotNull(sql`block.since`)} as since, ${instant(sql`block.until`)} as until
    from jsonb_array_elements_text(${JSON.stringify(promptTypes)}::text::jsonb) as types (prompt_type)
    cross join lateral (
      select * from spent where (scope = types.prompt_type or scope is null) and (budget_id, types.prompt_type) not in (
        select budget_id, ${budgetLifts.prompt_type} from ${budgetLifts} join spent using (budget_id, period_start)
      ) order by spent.until desc nulls first, budget_id limit 1
    ) as block`)
  return new Map(rows.map(({ prompt_type: promptType, ...block }) => [promptType, block]))
}

/** Lifts every block of the prompt type at that moment. Answers with the ids of the budgets, in order. */
export async function liftBlocks (transaction: Drizzle, promptType: string, nowMs: number): Promise<string[]> {
  const scope = sql`(${budgets.prompt_type} = ${promptType} or ${budgets.prompt_type} is null)`
  const rows = await transaction.execute<{ budget_id: string }>(sql`
    insert into ${budgetLifts} (budget_id, prompt_type, period_start, lifted_at)
    select ${budgets.id}, ${promptType}, ${budgetPeriods.period_start}, ${new Date(nowMs).toISOString()}::timestamptz
    from ${spentBudgets(nowMs, scope)} on conflict do nothing returning budget_id`)
  return rows.map(row => row.budget_id).sort()
}
