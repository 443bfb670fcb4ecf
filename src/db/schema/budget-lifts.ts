import { pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { budgets } from './budgets.js'

/** A lifted block: the budget does not block this prompt type until its period ends or its limit changes. */
export const budgetLifts = pgTable('budget_lifts', {
  budget_id: uuid().notNull().references(() => budgets.id, { onDelete: 'cascade' }),
  prompt_type: text().notNull(),
  period_start: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
  lifted_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow()
}, table => [primaryKey({ columns: [table.budget_id, table.prompt_type, table.period_start] })])
