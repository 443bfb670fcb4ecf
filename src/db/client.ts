import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type * as schema from './schema/index.js'

export type Drizzle = PostgresJsDatabase<typeof schema>

/** The one database behind both planes, opened and migrated by `openDatabase`. */
export interface Database {
  readonly kind: 'postgres' | 'embedded'
  /** For the data plane: the recorder's commits and the policy's reads. On PostgreSQL a pool of its own. */
  readonly recording: Drizzle
  /** For the control plane: a pool of its own with a statement time-out. On the embedded database the same connection. */
  readonly operator: Drizzle
  /** Calls back at every NOTIFY on the channel, and after each reconnect, when notifications may have been missed. */
  listen: (channel: string, onNotify: () => void) => Promise<void>
  /** Resolves if a query is answered; rejects with the reason otherwise. */
  ping: () => Promise<void>
  close: () => Promise<void>
}
