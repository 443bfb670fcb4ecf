import { bigint, boolean, integer, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { usd } from './columns.js'
import { promptConfigs } from './prompt-configs.js'

/**
 * Counters and the latest call of a prompt type: written by every batch, whatever the switches say. No index but the
 * key: an index on a counter would make every update write a new index entry (no HOT updates), and bloat.
 */
export const promptStats = pgTable('prompt_stats', {
  prompt_type: text().primaryKey()
    .references(() => promptConfigs.prompt_type, { onDelete: 'cascade', onUpdate: 'cascade' }),
  total_calls: bigint({ mode: 'number' }).notNull().default(0),
  failed_calls: bigint({ mode: 'number' }).notNull().default(0),
  blocked_calls: bigint({ mode: 'number' }).notNull().default(0),
  unpriced_calls: bigint({ mode: 'number' }).notNull().default(0),
  total_input_tokens: bigint({ mode: 'number' }).notNull().default(0),
  total_output_tokens: bigint({ mode: 'number' }).notNull().default(0),
  total_cost: usd().notNull().default('0'),
  /** The usage-log id of the latest call; with `last_called_at` it decides which of two calls is the later one. */
  last_call_id: uuid(),
  last_called_at: timestamp({ withTimezone: true, mode: 'string' }),
  last_prompt: text(),
  last_response: text(),
  last_model: text(),
  last_input_tokens: bigint({ mode: 'number' }),
  last_output_tokens: bigint({ mode: 'number' }),
  last_cost: usd(),
  last_user: text(),
  last_metadata: text(),
  last_duration_ms: integer(),
  last_status_code: integer(),
  last_success: boolean(),
  last_error: text()
})
