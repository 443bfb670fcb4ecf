import { bigint, boolean, check, date, pgTable, timestamp } from 'drizzle-orm/pg-core'
import { sql } from 'drizzle-orm'

/** The one row of settings that operators change while the gateway runs. */
export const gatewaySettings = pgTable('gateway_settings', {
  id: boolean().primaryKey().default(true),
  default_track_full_data: boolean().notNull().default(false),
  default_is_active: boolean().notNull().default(true),
  /** Raised by every change of policy (configs, keys, these settings); instances reload when it moves. */
  policy_version: bigint({ mode: 'number' }).notNull().default(1),
  /** Rollups of earlier UTC days are in `usage_summaries`; null: none are. */
  summarised_to: date({ mode: 'string' }),
  updated_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow()
}, table => [check('gateway_settings_one_row', sql`${table.id}`)])
