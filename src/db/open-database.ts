import { resolve } from 'node:path'
import type { Log } from '../log.js'
import { makeFolder } from '../lib/make-folder.js'
import { closeAfter } from './close-after.js'
import { openEmbedded } from './embedded.js'
import { lockFolder } from './folder-lock.js'
import { openPostgres } from './postgres.js'
import type { Database } from './database.js'

export interface DatabaseOptions {
  /** `postgres://…`; null: the embedded database under `dataDir`. */
  readonly databaseUrl: string | null
  /** Locked for this process until `close`, with either database: the journal lies there too. */
  readonly dataDir: string
  /** A PostgreSQL that cannot be reached is no reason not to start: it is opened as soon as it can be. */
  readonly mayBeUnavailable?: boolean
  readonly log: Log
}

/**
 * Opens the database and migrates it. Rejects if it cannot be reached (unless it may be unavailable), is too old, was
 * migrated by a newer build, or if another process uses the data folder. The message says what to do, without the
 * password.
 */
export const openDatabase = async ({
  databaseUrl, dataDir, mayBeUnavailable = false, log
}: DatabaseOptions): Promise<Database> => {
  const home = resolve(dataDir)
  await makeFolder(home)
  const lock = await lockFolder(home, log)
  try {
    return databaseUrl === null
      ? await openEmbedded(home, log, lock.release)
      : await openPostgres(databaseUrl, mayBeUnavailable, log, lock.release)
  } catch (error) {
    return await closeAfter(error, lock.release)
  }
}
