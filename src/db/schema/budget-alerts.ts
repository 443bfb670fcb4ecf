import { index, integer, pgTable, text, timestamp, unique, uuid } from 'drizzle-orm/pg-core'
import { usd } from './columns.js'

/**
 * A threshold of a budget that was crossed, written by the transaction that crossed it: once per budget, period and
 * threshold, however many instances run. It stores what the budget was then, and outlives it.
 */
export const budgetAlerts = pgTable('budget_alerts', {
  id: uuid().primaryKey(),
  budget_id: uuid().notNull(),
  budget_name: text().notNull(),
  prompt_type: text(),
  period: text().notNull(),
  period_start: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
  /** Percent of the limit. */
  threshold: integer().notNull(),
  action: text().notNull(),
  limit_usd: usd().notNull(),
  /** When it was crossed. */
  spent_usd: usd().notNull(),
  created_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow()
}, table => [
  unique('budget_alerts_once').on(table.budget_id, table.period_start, table.threshold),
  index('budget_alerts_created_at').on(table.created_at, table.id)
])
