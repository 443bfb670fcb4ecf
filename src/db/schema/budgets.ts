import { boolean, index, integer, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { usd } from './columns.js'

/** What may be spent, per prompt type or by all traffic, in each period. */
export const budgets = pgTable('budgets', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  /** Null: all traffic. Need not have a config yet. */
  prompt_type: text(),
  /** `day`, `week`, `month`, `total`: see src/budget-period.ts. */
  period: text().notNull(),
  limit_usd: usd().notNull(),
  /** Percent of the limit, ascending. */
  thresholds: integer().array().notNull(),
  /** `alert` or `block`. */
  action: text().notNull(),
  strict: boolean().notNull().default(false),
  webhook_url: text(),
  email: text(),
  created_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  updated_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow()
}, table => [
  // What a batch finds its budgets by.
  index('budgets_prompt_type').on(table.prompt_type)
])
