import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import root from 'tap'
import type { Test } from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import type { Database, Drizzle } from '../../src/db/database.js'
import { gatewaySettings } from '../../src/db/schema/index.js'
import type { Log } from '../../src/log.js'
import { startPostgres } from './postgres-server.js'
import type { PostgresServer } from './postgres-server.js'

export type DatabaseKind = Database['kind']

export const databaseKinds: readonly DatabaseKind[] = ['embedded', 'postgres']

/**
 * Runs the test body twice, as two subtests: on an empty embedded database and on an empty one of a real PostgreSQL.
 */
export const forEachDatabase = (
  t: Test, name: string, body: (t: Test, database: Database, kind: DatabaseKind) => Promise<void>
): void => {
  for (const kind of databaseKinds) {
    t.test(`${name} (${kind})`, async t => await body(t, await openTestDatabase(t, kind), kind))
  }
}

/** An empty database with its schema, closed at the end of the test. */
export const openTestDatabase = async (t: Test, kind: DatabaseKind): Promise<Database> => {
  if (kind === 'embedded' && !lent) return await borrowEmbedded(t)
  const database = await openDatabase({ ...await testDatabaseOptions(t, kind), log: silentLog })
  t.teardown(async () => await database.close())
  return database
}

/**
 * Where an empty database of this kind lies: what a configuration, or several instances of a gateway, need to open it.
 */
export const testDatabaseOptions = async (
  t: Test, kind: DatabaseKind
): Promise<{ databaseUrl: string | null, dataDir: string }> => {
  const dataDir = temporaryFolder(t)
  if (kind === 'embedded') return { databaseUrl: null, dataDir }
  return { databaseUrl: await createDatabase(), dataDir }
}

/** A folder that is removed at the end of the test. */
export const temporaryFolder = (t: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'promptmeter-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** For tests to which it does not matter what is logged. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Starting PGlite from source takes seconds: the tests of one process take turns on one, emptied in between. */
let embedded: Promise<Database> | undefined
let lent = false

const borrowEmbedded = async (t: Test): Promise<Database> => {
  lent = true
  embedded ??= openShared()
  const database = await embedded
  let open = true
  const close = async (): Promise<void> => {
    if (!open) return
    open = false
    await empty(database.operator)
    lent = false
  }
  t.teardown(close)
  const listen: Database['listen'] = async (channel, onNotify) =>
    await database.listen(channel, () => { if (open) onNotify() })
  return { ...database, listen, close }
}

const openShared = async (): Promise<Database> => {
  const database = await openDatabase({ databaseUrl: null, dataDir: temporaryFolder(root), log: silentLog })
  root.teardown(async () => await database.close())
  return database
}

/** As it was when it was migrated: no partitions, no rows but the settings'. */
const empty = async (database: Drizzle): Promise<void> => {
  await database.execute(sql`do $$ declare found regclass; begin
    for found in select inhrelid from pg_inherits join pg_class on oid = inhrelid where relkind = 'r' loop
      execute format('drop table %s', found);
    end loop;
    for found in select oid from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace loop
      execute format('truncate %s restart identity cascade', found);
    end loop;
  end $$`)
  await database.insert(gatewaySettings).values({})
}

/** The server that the tests of one process share. It goes when the process does. */
export const sharedPostgres = async (): Promise<PostgresServer> => await (shared ??= startPostgres())
let shared: Promise<PostgresServer> | undefined

/** A new database on the shared server, empty or (the default) with the schema. Answers with its URL. */
export const createDatabase = async (content: 'empty' | 'migrated' = 'migrated'): Promise<string> => {
  const server = await sharedPostgres()
  const name = `test_${databases++}`
  if (content === 'migrated') await (migratedTemplate ??= createTemplate(server))
  await administer(server, `create database ${name} template ${content === 'migrated' ? templateName : 'template0'}`)
  return server.url(name)
}
let databases = 0

const templateName = 'migrated'
let migratedTemplate: Promise<void> | undefined

/** The schema is migrated once a process; each database is then a copy. */
const createTemplate = async (server: PostgresServer): Promise<void> => {
  await administer(server, `create database ${templateName}`)
  const database = await openDatabase({
    databaseUrl: server.url(templateName), dataDir: temporaryFolder(root), log: silentLog
  })
  await database.close()
}

const administer = async (server: PostgresServer, statement: string): Promise<void> => {
  const sql = postgres(server.url(), { max: 1 })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}
