import { index, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'

/** Every change that was made through the admin API, written in its transaction. */
export const auditLog = pgTable('audit_log', {
  /** UUIDv7. */
  id: uuid().primaryKey(),
  created_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  /** Whose login. */
  username: text().notNull(),
  /** `budget.update` */
  action: text().notNull(),
  /** What was changed: a prompt type, an id, a model. */
  target: text().notNull(),
  /** JSON text; null where there was nothing before, or is nothing after. Never a secret. */
  before: text(),
  after: text()
}, table => [index('audit_log_created_at').on(table.created_at, table.id)])
