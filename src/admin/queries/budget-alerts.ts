import { asc, desc, eq, getTableColumns, inArray, sql, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { alertDeliveries, budgetAlerts } from '../../db/schema/index.js'
import type { AlertDelivery, BudgetAlert } from '../schemas/budget-alert.js'
import { all, fromMicroseconds, instant, instantNotNull, microseconds, usdNumber } from './expressions.js'

export interface BudgetAlertFilter {
  readonly budget_id?: string
  readonly prompt_type?: string
}

/** Where a page ended: its last alert's moment, in microseconds since the epoch, and its id. */
export interface BudgetAlertPlace {
  readonly createdAtUs: number
  readonly id: string
}

export interface BudgetAlertPage {
  readonly items: BudgetAlert[]
  /** Where the next page begins; null if there is none. */
  readonly next: BudgetAlertPlace | null
}

const columns = {
  ...getTableColumns(budgetAlerts),
  period: sql<BudgetAlert['period']>`${budgetAlerts.period}`,
  period_start: instantNotNull(budgetAlerts.period_start),
  action: sql<BudgetAlert['action']>`${budgetAlerts.action}`,
  limit_usd: usdNumber(budgetAlerts.limit_usd) as SQL<number>,
  spent_usd: usdNumber(budgetAlerts.spent_usd) as SQL<number>,
  created_at: instantNotNull(budgetAlerts.created_at)
}

/** At most `limit` alerts after `after`, newest first, each with its deliveries. */
export async function listBudgetAlerts (
  database: Drizzle, filter: BudgetAlertFilter, limit: number, after: BudgetAlertPlace | null
): Promise<BudgetAlertPage> {
  const isAfter = after === null
    ? undefined
    : sql`(${budgetAlerts.created_at}, ${budgetAlerts.id}) < (${fromMicroseconds(after.createdAtUs)}, ${after.id}::uuid)`
  const rows = await database.select({ ...columns, created_at_us: microseconds(budgetAlerts.created_at) })
    .from(budgetAlerts)
    .where(all(...conditions(filter), isAfter))
    .orderBy(desc(budgetAlerts.created_at), desc(budgetAlerts.id))
    .limit(limit + 1)
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  const deliveries = await deliveriesOf(database, page.map(row => row.id))
  return {
    items: page.map(({ created_at_us: _us, ...row }) => ({ ...row, deliveries: deliveries.get(row.id) ?? [] })),
    next: last === undefined ? null : { createdAtUs: last.created_at_us, id: last.id }
  }
}

/** How many alerts the filter matches; `ceiling` means that many or more, for counting goes no further. */
export async function countBudgetAlerts (
  database: Drizzle, filter: BudgetAlertFilter, ceiling: number
): Promise<number> {
  const counted = database.select({ id: budgetAlerts.id }).from(budgetAlerts).where(all(...conditions(filter)))
    .limit(ceiling)
    .as('counted')
  return await database.$count(counted)
}

function conditions ({ budget_id: budgetId, prompt_type: promptType }: BudgetAlertFilter): (SQL | undefined)[] {
  return [
    budgetId === undefined ? undefined : eq(budgetAlerts.budget_id, budgetId),
    promptType === undefined ? undefined : eq(budgetAlerts.prompt_type, promptType)
  ]
}

async function deliveriesOf (database: Drizzle, alertIds: string[]): Promise<Map<string, AlertDelivery[]>> {
  if (alertIds.length === 0) return new Map()
  const rows = await database.select({
    alert_id: alertDeliveries.alert_id,
    id: alertDeliveries.id,
    channel: sql<AlertDelivery['channel']>`${alertDeliveries.channel}`,
    target: alertDeliveries.target,
    state: sql<AlertDelivery['state']>`${alertDeliveries.state}`,
    attempt_count: alertDeliveries.attempt_count,
    attempts: alertDeliveries.attempts,
    next_attempt_at: instant(
      sql`(case when ${alertDeliveries.state} = 'pending' then ${alertDeliveries.next_attempt_at} end)`
    ),
    delivered_at: instant(alertDeliveries.delivered_at)
  }).from(alertDeliveries).where(inArray(alertDeliveries.alert_id, alertIds)).orderBy(
    asc(alertDeliveries.channel), asc(alertDeliveries.id)
  )
  const byAlert = new Map<string, AlertDelivery[]>()
  for (const { alert_id: alertId, ...row } of rows) {
    const delivery = { ...row, target: row.channel === 'webhook' ? new URL(row.target).origin : row.target }
    byAlert.set(alertId, [...byAlert.get(alertId) ?? [], delivery])
  }
  return byAlert
}
