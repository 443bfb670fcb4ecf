import { integer, pgTable, primaryKey, timestamp, uuid } from 'drizzle-orm/pg-core'
import { budgets } from './budgets.js'
import { usd } from './columns.js'

/** What was spent of a budget in each of its periods: added to by every batch, in its transaction. */
export const budgetPeriods = pgTable('budget_periods', {
  budget_id: uuid().notNull().references(() => budgets.id, { onDelete: 'cascade' }),
  /** The period's first moment; of a budget without periods the epoch. */
  period_start: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
  spent_usd: usd().notNull().default('0'),
  /** Raised where the spend is set anew rather than added to (repricing, another scope): it alone may make it less. */
  revision: integer().notNull().default(0),
  /** When the spend reached the limit; null while it has not. */
  exceeded_at: timestamp({ withTimezone: true, mode: 'string' })
}, table => [primaryKey({ columns: [table.budget_id, table.period_start] })])
