import { bigint, date, index, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { usd } from './columns.js'

/**
 * The rollups of whole UTC days, ISO weeks, months and quarters, summed along one dimension each, so that a year is a
 * few rows a group. Made by a job from the rollups, for days before `gateway_settings.summarised_to`.
 */
export const usageSummaries = pgTable('usage_summaries', {
  /**
   * `quarter`, `month`, `week` (of each its days so far), `day`, or `hour`: that not of the dimension `prompt_type`.
   */
  grain: text().notNull(),
  /** `all`, `prompt_type`, `model`, `user`. */
  dimension: text().notNull(),
  /** The first day of the quarter, month or week, or the day: the hour is the key's. */
  bucket: date({ mode: 'string' }).notNull(),
  /** The prompt type, model or user; '' of `all`. Of an hour it begins with that: `07`, `07 gpt-4o`. */
  key: text().notNull(),
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
  primaryKey({ columns: [table.grain, table.dimension, table.bucket, table.key] }),
  index('usage_summaries_key').on(table.dimension, table.key, table.grain, table.bucket)
])

/** Days whose summaries are out of date: a call was recorded late, or repriced. They are summed again. */
export const staleDays = pgTable('usage_summaries_stale', {
  day: date({ mode: 'string' }).primaryKey()
})
