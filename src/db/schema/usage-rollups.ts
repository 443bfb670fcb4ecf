import { bigint, index, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import { usd } from './columns.js'

/**
 * Sums per hour (UTC), prompt type, model and user: what dashboards read, so that their cost does not grow with the
 * log.
 */
export const usageRollups = pgTable('usage_rollups', {
  hour: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
  prompt_type: text().notNull(),
  /** The response's model, else the request's, else ''. */
  model: text().notNull(),
  /** '' where the call named none. */
  user_name: text().notNull(),
  calls: bigint({ mode: 'number' }).notNull(),
  failed_calls: bigint({ mode: 'number' }).notNull(),
  blocked_calls: bigint({ mode: 'number' }).notNull(),
  unpriced_calls: bigint({ mode: 'number' }).notNull(),
  input_tokens: bigint({ mode: 'number' }).notNull(),
  cached_input_tokens: bigint({ mode: 'number' }).notNull(),
  output_tokens: bigint({ mode: 'number' }).notNull(),
  reasoning_tokens: bigint({ mode: 'number' }).notNull(),
  cost: usd().notNull(),
  duration_ms: bigint({ mode: 'number' }).notNull()
}, table => [
  primaryKey({ columns: [table.hour, table.prompt_type, table.model, table.user_name] }),
  index('usage_rollups_prompt_type').on(table.prompt_type, table.hour)
])
