import { bigint, boolean, pgTable, text, timestamp } from 'drizzle-orm/pg-core'

/** An operator's switches, one row per prompt type. Rarely written; what calls write is in `prompt_stats`. */
export const promptConfigs = pgTable('prompt_configs', {
  id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  prompt_type: text().notNull().unique(),
  description: text().notNull().default(''),
  track_full_data: boolean().notNull().default(false),
  is_active: boolean().notNull().default(true),
  created_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  updated_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow()
})
