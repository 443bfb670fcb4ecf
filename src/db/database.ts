import type { ExtractTablesWithRelations } from 'drizzle-orm'
import type { PgDatabase } from 'drizzle-orm/pg-core'
import type { PostgresJsDatabase, PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js'
import type { Sql } from 'postgres'
import type * as schema from './schema/index.js'

/** What queries run on: a pool, or a transaction. */
export type Drizzle = PgDatabase<PostgresJsQueryResultHKT, typeof schema, ExtractTablesWithRelations<typeof schema>>

/** A pool, with its postgres.js client for what drizzle does not support (prepared statements over arrays). */
export type DrizzlePool = PostgresJsDatabase<typeof schema> & { readonly $client: Sql }

/** The one database behind both planes, opened and migrated by `openDatabase`. */
export interface Database {
  readonly kind: 'postgres' | 'embedded'
  /**
   * For the data plane: the recorder's commits and the policy's reads. On PostgreSQL a pool of its own, which
   * `reconnect` replaces: ask for it at each use. Throws `DatabaseUnavailable` before the database was reached for the
   * first time.
   */
  readonly recording: DrizzlePool
  /**
   * For the control plane: a pool of its own with a statement time-out. On the embedded database the same connection.
   */
  readonly operator: DrizzlePool
  /**
   * Calls back at every NOTIFY on the channel, and after each connect, the first one too: notifications may have been
   * missed before it. While the database is unavailable the connection is tried again and again. Behind a pooler there
   * are no notifications: it calls back once, and the listener has to ask by itself.
   */
  listen: (channel: string, onNotify: () => void) => Promise<void>
  /** Resolves if the recording pool's query is answered; rejects with the reason otherwise, after 5 s at the latest. */
  ping: () => Promise<void>
  /**
   * The same of the operator pool. One whose connections are all at work is not asked, until nothing moves for a
   * minute.
   */
  pingOperator: () => Promise<void>
  /** Lets go of the recording pool's connections: statements on which no answer comes reject, the next get new ones. */
  reconnect: () => void
  close: () => Promise<void>
}
