import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator'
import { lockKeys } from './advisory-locks.js'
import type { Drizzle } from './database.js'

/** The same folder from src/db and from dist/db. */
const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/** Identifies the schema that this build migrates to: changes with every migration. */
export const migrationHashes = (): string[] => readMigrationFiles({ migrationsFolder }).map(({ hash }) => hash)

/**
 * Brings the schema up to date, in one transaction. Any number of instances may call it at once. drizzle's `migrate`
 * looks up what is applied outside its transaction, and a lock of the session is none behind a pooler. So this reads
 * drizzle's files, keeps drizzle's table, and holds a lock until the commit.
 * Throws if the database was migrated by a newer build, whose tables this one does not know.
 */
export const migrate = async (database: Drizzle): Promise<void> => {
  await database.transaction(async transaction => {
    await transaction.execute(sql`select pg_advisory_xact_lock(${lockKeys('migrate')})`)
    const appliedMs = await lastApplied(transaction)
    const migrations = readMigrationFiles({ migrationsFolder })
    rejectNewerSchema(appliedMs, migrations)
    if (appliedMs === null) {
      await transaction.execute(sql`create schema if not exists drizzle`)
      await transaction.execute(sql`create table if not exists ${appliedMigrations}
        (id serial primary key, hash text not null, created_at bigint)`)
    }
    for (const { sql: statements, hash, folderMillis } of migrations) {
      if (appliedMs !== null && folderMillis <= appliedMs) continue
      for (const statement of statements) await transaction.execute(sql.raw(statement))
      await transaction.execute(
        sql`insert into ${appliedMigrations} (hash, created_at) values (${hash}, ${folderMillis})`)
    }
  })
}

const appliedMigrations = sql.raw('drizzle.__drizzle_migrations')

/** When the last migration that is applied was made; null: none is. */
const lastApplied = async (transaction: Drizzle): Promise<number | null> => {
  const [found] = await transaction.execute<{ table: string | null }>(
    sql`select to_regclass('drizzle.__drizzle_migrations')::text as "table"`)
  if (found?.table == null) return null
  const [last] = await transaction.execute<{ applied_ms: string | null }>(
    sql`select max(created_at)::text as applied_ms from ${appliedMigrations}`)
  return last?.applied_ms == null ? null : Number(last.applied_ms)
}

const rejectNewerSchema = (appliedMs: number | null, migrations: readonly MigrationMeta[]): void => {
  const knownMs = migrations.at(-1)?.folderMillis
  if (appliedMs === null || knownMs === undefined || appliedMs <= knownMs) return
  throw new Error('The database was migrated by a newer promptmeter ' +
    `(migration of ${new Date(appliedMs).toISOString()}; this build knows them up to ` +
    `${new Date(knownMs).toISOString()}). Run that version or a later one; nothing was changed.`)
}
