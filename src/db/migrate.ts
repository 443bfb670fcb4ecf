import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import { lockKeys } from './advisory-locks.js'
import type { Drizzle, DrizzlePool } from './client.js'

/** The same folder from src/db and from dist/db. */
const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/** Names the schema that this build migrates to: changes whenever a migration does. */
export const migrationHashes = (): string[] => readMigrationFiles({ migrationsFolder }).map(({ hash }) => hash)

/**
 * Brings the schema up to date. Any number of instances may call it at once: drizzle looks up what is applied outside its
 * transaction, so a session lock is held around all of it. `connection` must therefore be a pool of one connection.
 * Throws if the database was migrated by a newer build, whose tables this one does not know.
 */
export const migrate = async (connection: DrizzlePool): Promise<void> => {
  await connection.execute(sql`select pg_advisory_lock(${lockKeys('migrate')})`)
  try {
    await refuseNewerSchema(connection)
    await applyMigrations(connection, { migrationsFolder })
  } finally {
    await connection.execute(sql`select pg_advisory_unlock(${lockKeys('migrate')})`)
  }
}

const refuseNewerSchema = async (connection: Drizzle): Promise<void> => {
  const [found] = await connection.execute<{ table: string | null }>(
    sql`select to_regclass('drizzle.__drizzle_migrations')::text as "table"`)
  if (found?.table == null) return
  const [last] = await connection.execute<{ applied_ms: string | null }>(
    sql`select max(created_at)::text as applied_ms from drizzle.__drizzle_migrations`)
  const known = readMigrationFiles({ migrationsFolder }).at(-1)
  if (last?.applied_ms == null || known === undefined) return
  if (Number(last.applied_ms) > known.folderMillis) {
    throw new Error('The database was migrated by a newer promptmeter ' +
      `(migration of ${new Date(Number(last.applied_ms)).toISOString()}; this build knows them up to ` +
      `${new Date(known.folderMillis).toISOString()}). Run that version or a later one; nothing was changed.`)
  }
}
