import { sql } from 'drizzle-orm'
import { bigint, boolean, index, integer, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { usd } from './columns.js'
import { promptConfigs } from './prompt-configs.js'

/**
 * One row per request of an active prompt type, partitioned by month on `created_at` (the migration says so;
 * drizzle-kit cannot). Every unique key holds `id`, and nothing but `prompt_configs` is referred to, so that the table
 * can be distributed by `id` on Citus.
 */
export const usageLogs = pgTable('usage_logs', {
  id: uuid().notNull(),
  created_at: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
  prompt_type: text().notNull(),
  prompt_config_id: bigint({ mode: 'number' }).references(() => promptConfigs.id, { onDelete: 'set null' }),
  task_description: text(),
  provider: text().notNull(),
  endpoint: text().notNull(),
  request_model: text(),
  response_model: text(),
  service_tier: text(),
  user_name: text(),
  key_id: uuid(),
  metadata: text(),
  stream: boolean().notNull(),
  status_code: integer().notNull(),
  success: boolean().notNull(),
  error_type: text(),
  error_message: text(),
  input_tokens: bigint({ mode: 'number' }),
  cached_input_tokens: bigint({ mode: 'number' }),
  output_tokens: bigint({ mode: 'number' }),
  reasoning_tokens: bigint({ mode: 'number' }),
  /** JSON text of the counts that no column holds (audio, image, cache writes), for repricing; null where all are 0. */
  usage_details: text(),
  usage_source: text().notNull(),
  cost: usd(),
  cost_reason: text(),
  duration_ms: integer().notNull(),
  time_to_first_byte_ms: integer(),
  upstream_request_id: text(),
  request_bytes: bigint({ mode: 'number' }).notNull(),
  response_bytes: bigint({ mode: 'number' }).notNull(),
  prompt: text(),
  response: text()
}, table => [
  primaryKey({ columns: [table.id, table.created_at] }),
  index('usage_logs_created_at').on(table.created_at, table.id),
  index('usage_logs_prompt_type').on(table.prompt_type, table.created_at, table.id),
  index('usage_logs_prompt_config_id').on(table.prompt_config_id),
  index('usage_logs_upstream_request_id').on(table.upstream_request_id),
  index('usage_logs_failed').on(table.created_at, table.id).where(sql`not success`),
  index('usage_logs_unpriced').on(table.created_at, table.id).where(sql`cost is null and cost_reason <> 'not_metered'`),
  // What retention empties.
  index('usage_logs_payloads').on(table.created_at, table.id).where(sql`prompt is not null or response is not null`)
])
