import { customType } from 'drizzle-orm/pg-core'

/** Exact USD, as text in JavaScript: a float never touches money. */
export const usd = customType<{ data: string, driverData: string }>({ dataType: () => 'numeric(30, 12)' })
