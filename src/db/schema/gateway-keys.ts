import { pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'

/** Keys that callers use while the gateway holds the upstream's. The key itself is never stored. */
export const gatewayKeys = pgTable('gateway_keys', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  user_name: text(),
  /** SHA-256 of the key, lower-case hex. */
  key_sha256: text().notNull().unique(),
  /** Null: every prompt type. */
  allowed_prompt_types: text().array(),
  expires_at: timestamp({ withTimezone: true, mode: 'string' }),
  created_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  last_used_at: timestamp({ withTimezone: true, mode: 'string' }),
  revoked_at: timestamp({ withTimezone: true, mode: 'string' })
})
