import { sql } from 'drizzle-orm'
import { index, integer, jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { budgetAlerts } from './budget-alerts.js'

/** An attempt to deliver an alert. */
export interface DeliveryAttempt {
  /** RFC 3339 UTC. */
  readonly at: string
  readonly duration_ms: number
  /** Of a webhook's answer, or an SMTP server's; null where there was none. */
  readonly status_code: number | null
  /** Null: it was delivered. */
  readonly error: string | null
}

/** The outbox: one row per alert and channel, from the crossing until it is delivered or given up. */
export const alertDeliveries = pgTable('alert_deliveries', {
  /** Also the `webhook-id`, by which a receiver knows a second delivery of the same message. */
  id: uuid().primaryKey(),
  alert_id: uuid().notNull().references(() => budgetAlerts.id, { onDelete: 'cascade' }),
  /** `webhook` or `email`. */
  channel: text().notNull(),
  target: text().notNull(),
  /** `pending`, `delivered`, `failed`. */
  state: text().notNull().default('pending'),
  /** While `pending`: not before then. An instance that delivers puts it off first, so that no other does meanwhile. */
  next_attempt_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  attempt_count: integer().notNull().default(0),
  /** Oldest first. */
  attempts: jsonb().$type<DeliveryAttempt[]>().notNull().default([]),
  delivered_at: timestamp({ withTimezone: true, mode: 'string' }),
  created_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow()
}, table => [
  index('alert_deliveries_alert_id').on(table.alert_id),
  index('alert_deliveries_pending').on(table.next_attempt_at).where(sql`state = 'pending'`)
])
