import { randomUUID } from 'node:crypto'
import { and, eq, getTableColumns, sql, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { budgetLifts, budgetPeriods, budgets } from '../../db/schema/index.js'
import type { KeysetPage } from '../keyset-page.js'
import type { Budget } from '../schemas/budget.js'
import { periodEnd, periodStart } from './budget-blocks.js'
import { all, instant, instantNotNull, microseconds, usdNumber } from './expressions.js'
import { isAfter, newestFirst, newestFirstPage, type NewestFirstPlace } from './newest-first.js'

/** The fields of a budget that operators set; `limit_usd` is exact decimal text. */
export interface BudgetSettings extends Pick<Budget,
  'name' | 'prompt_type' | 'period' | 'thresholds' | 'action' | 'strict' | 'webhook_url' | 'email'> {
  readonly limit_usd: string
}

export interface BudgetFilter {
  /** The budgets of this type; not those of all traffic. */
  readonly prompt_type?: string
}

const plainColumns = getTableColumns(budgets)
const spent = sql`coalesce(${budgetPeriods.spent_usd}, 0)`

/** A budget over `budgets` left-joined with the period of that moment. */
const columnsAt = (nowMs: number) => ({
  ...plainColumns,
  period: sql<Budget['period']>`${budgets.period}`,
  action: sql<Budget['action']>`${budgets.action}`,
  limit_usd: usdNumber(budgets.limit_usd) as SQL<number>,
  spent_usd: usdNumber(spent) as SQL<number>,
  period_start: instantNotNull(periodStart(nowMs)),
  period_end: instant(periodEnd(nowMs)),
  // Thresholds are kept in ascending order.
  state: sql<Budget['state']>`case when ${spent} >= ${budgets.limit_usd} then 'exceeded'
    when ${spent} * 100 >= ${budgets.limit_usd} * ${budgets.thresholds}[1] then 'warning' else 'ok' end`,
  created_at: instantNotNull(budgets.created_at),
  updated_at: instantNotNull(budgets.updated_at)
})

const isPeriodAt = (nowMs: number): SQL | undefined =>
  and(eq(budgetPeriods.budget_id, budgets.id), sql`${budgetPeriods.period_start} = ${periodStart(nowMs)}`)

const conditions = ({ prompt_type: promptType }: BudgetFilter): SQL | undefined =>
  promptType === undefined ? undefined : eq(budgets.prompt_type, promptType)

/** At most `limit` budgets after `after`, newest first, as they are at that moment. */
export async function listBudgets (
  database: Drizzle, filter: BudgetFilter, limit: number, after: NewestFirstPlace | null, nowMs: number
): Promise<KeysetPage<Budget, NewestFirstPlace>> {
  const rows = await database
    .select({ ...columnsAt(nowMs), created_at_us: microseconds(budgets.created_at) })
    .from(budgets).leftJoin(budgetPeriods, isPeriodAt(nowMs))
    .where(all(conditions(filter), isAfter(budgets, after)))
    .orderBy(...newestFirst(budgets))
    .limit(limit + 1)
  return newestFirstPage(rows, limit)
}

export const countBudgets = async (database: Drizzle, filter: BudgetFilter): Promise<number> =>
  await database.$count(budgets, conditions(filter))

/** A budget as it is at that moment. Null if there is none. */
export async function findBudget (database: Drizzle, id: string, nowMs: number): Promise<Budget | null> {
  const [row] = await database.select(columnsAt(nowMs)).from(budgets).leftJoin(budgetPeriods, isPeriodAt(nowMs))
    .where(eq(budgets.id, id))
  return row ?? null
}

/**
 * As `findBudget`; no other transaction changes the budget before this one ends. Calls may be charged to it meanwhile.
 */
export async function lockBudget (transaction: Drizzle, id: string, nowMs: number): Promise<Budget | null> {
  await transaction.select({ id: budgets.id }).from(budgets).where(eq(budgets.id, id)).for('no key update')
  return await findBudget(transaction, id, nowMs)
}

/** Creates a budget with what was already spent in its current period. Answers with its id. */
export async function insertBudget (transaction: Drizzle, settings: BudgetSettings, nowMs: number): Promise<string> {
  const id = randomUUID()
  const now = new Date(nowMs).toISOString()
  await transaction.insert(budgets).values({ ...settings, id, created_at: now, updated_at: now })
  await recount(transaction, id, nowMs)
  return id
}

/**
 * Changes an existing budget. If its scope or period changes, its spend is counted again; otherwise its alerts are
 * checked again.
 */
export async function updateBudget (
  transaction: Drizzle, before: Budget, patch: Partial<BudgetSettings>, nowMs: number
): Promise<void> {
  const id = before.id
  await transaction.update(budgets).set({ ...patch, updated_at: new Date(nowMs).toISOString() })
    .where(eq(budgets.id, id))
  const after = await findBudget(transaction, id, nowMs)
  if (after === null) throw new Error('A budget that is locked has gone')
  const isLimitNew = after.limit_usd !== before.limit_usd
  if (isLimitNew) await transaction.delete(budgetLifts).where(eq(budgetLifts.budget_id, id))
  if (after.prompt_type !== before.prompt_type || after.period !== before.period) await recount(transaction, id, nowMs)
  else if (isLimitNew || after.thresholds.join() !== before.thresholds.join()) {
    await transaction.execute(
      sql`select fire_budget_alerts(${id}, ${after.period_start}::timestamptz, ${new Date(nowMs).toISOString()}::timestamptz)`
    )
  }
}

/** A year's rollups take longer than an operator's query may. */
async function recount (transaction: Drizzle, id: string, nowMs: number): Promise<void> {
  await transaction.execute(sql`set local statement_timeout = 0`)
  await transaction.execute(sql`select recount_budget(${id}, ${new Date(nowMs).toISOString()}::timestamptz)`)
}

/**
 * Holds batches back from the budget until the transaction ends. A batch in flight has charged it; the next ones then
 * see whether it still exists. Comes before any lock on the budget itself.
 */
export async function holdCharges (transaction: Drizzle): Promise<void> {
  await transaction.execute(sql`lock table usage_rollups in share mode`)
}

/** Deletes a budget with its spend. Its alerts and their deliveries stay. */
export async function deleteBudget (transaction: Drizzle, id: string): Promise<void> {
  await transaction.delete(budgets).where(eq(budgets.id, id))
}
