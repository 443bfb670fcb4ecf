import type { ExtractTablesWithRelations } from 'drizzle-orm'
import type { PgDatabase } from 'drizzle-orm/pg-core'
import type { PostgresJsDatabase, PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js'
import type { Sql } from 'postgres'
import type { Log } from '../log.js'
import { openEmbedded } from './embedded.js'
import { openPostgres } from './postgres.js'
import type * as schema from './schema/index.js'

/** What queries need: a pool, or a transaction. */
export type Drizzle = PgDatabase<PostgresJsQueryResultHKT, typeof schema, ExtractTablesWithRelations<typeof schema>>

/** A pool, with the postgres.js client under it for what drizzle cannot say (prepared statements over arrays). */
export type DrizzlePool = PostgresJsDatabase<typeof schema> & { readonly $client: Sql }

/** The one database behind both planes, opened and migrated by `openDatabase`. */
export interface Database {
  readonly kind: 'postgres' | 'embedded'
  /** For the data plane: the recorder's commits and the policy's reads. On PostgreSQL a pool of its own. */
  readonly recording: DrizzlePool
  /** For the control plane: a pool of its own with a statement time-out. On the embedded database the same connection. */
  readonly operator: DrizzlePool
  /**
   * Calls back at every NOTIFY on the channel, and after each connect, the first one too: notifications may have been
   * missed before it.
   */
  listen: (channel: string, onNotify: () => void) => Promise<void>
  /** Resolves if a query is answered; rejects with the reason otherwise, after 5 s at the latest. */
  ping: () => Promise<void>
  close: () => Promise<void>
}

export interface DatabaseOptions {
  /** `postgres://…`; null: the embedded database under `dataDir`. */
  readonly databaseUrl: string | null
  readonly dataDir: string
  readonly log: Log
}

/**
 * Opens the database and brings its schema up to date. Rejects, in words that say what to do and without the password,
 * if it cannot be reached, is too old, was migrated by a newer build, or (embedded) is in use by another process.
 */
export const openDatabase = async ({ databaseUrl, dataDir, log }: DatabaseOptions): Promise<Database> =>
  databaseUrl === null ? await openEmbedded(dataDir, log) : await openPostgres(databaseUrl, log)
