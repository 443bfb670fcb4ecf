import { asc, eq, getTableColumns, inArray, sql, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { alertDeliveries, budgetAlerts } from '../../db/schema/index.js'
import type { KeysetPage } from '../keyset-page.js'
import type { AlertDelivery, BudgetAlert } from '../schemas/budget-alert.js'
import { all, instant, instantNotNull, microseconds, usdNumber } from './expressions.js'
import { isAfter, newestFirst, newestFirstPage, type NewestFirstPlace } from './newest-first.js'

export interface BudgetAlertFilter {
  readonly budget_id?: string
  readonly prompt_type?: string
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
  database: Drizzle, filter: BudgetAlertFilter, limit: number, after: NewestFirstPlace | null
): Promise<KeysetPage<BudgetAlert, NewestFirstPlace>> {
  const rows = await database.select({ ...columns, created_at_us: microseconds(budgetAlerts.created_at) })
    .from(budgetAlerts)
    .where(all(...conditions(filter), isAfter(budgetAlerts, after)))
    .orderBy(...newestFirst(budgetAlerts))
    .limit(limit + 1)
  const { items, next } = newestFirstPage(rows, limit)
  const deliveries = await deliveriesOf(database, items.map(row => row.id))
  return { items: items.map(row => ({ ...row, deliveries: deliveries.get(row.id) ?? [] })), next }
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
