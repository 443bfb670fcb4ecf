import { sql } from 'drizzle-orm'
import type { Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import * as schema from '../../src/db/schema/index.js'
import { databaseKinds, openTestDatabase, type DatabaseKind } from '../helpers/database.js'

const opened = new Map<DatabaseKind, Promise<Database>>()

/**
 * Runs the test body twice, on the embedded database and on a real PostgreSQL. `t` is the file's own: its tests share
 * one database of each kind, for opening an embedded one takes seconds, and each test finds it empty.
 */
export function onEachDatabase (t: Test, name: string, body: (t: Test, database: Database) => Promise<void>): void {
  for (const kind of databaseKinds) {
    t.test(`${name} (${kind})`, async subtest => {
      const database = await (opened.get(kind) ?? open(t, kind))
      await clear(database)
      await body(subtest, database)
    })
  }
}

function open (t: Test, kind: DatabaseKind): Promise<Database> {
  const database = openTestDatabase(t, kind)
  opened.set(kind, database)
  return database
}

/** Everything but the settings, whose one row the first migration made; they go back to how it made them. */
async function clear (database: Database): Promise<void> {
  const { gatewaySettings, ...tables } = schema
  await database.operator.execute(sql`truncate ${sql.join(Object.values(tables), sql`, `)}`)
  await database.operator.update(gatewaySettings)
    .set({ default_track_full_data: false, default_is_active: true, summarised_to: null })
}
