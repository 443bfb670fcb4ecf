import { numeric, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'

const usdPerMillion = () => numeric({ precision: 18, scale: 6 })

/** Prices of an operator's own, USD per million tokens: a model's holds from its date on, until the next one's. */
export const modelPrices = pgTable('model_prices', {
  model: text().notNull(),
  effective_from: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
  input: usdPerMillion().notNull(),
  /** Null, here and below: billed as what it is part of. */
  cached_input: usdPerMillion(),
  output: usdPerMillion().notNull(),
  audio_input: usdPerMillion(),
  audio_output: usdPerMillion(),
  created_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  updated_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow()
}, table => [primaryKey({ columns: [table.model, table.effective_from] })])
