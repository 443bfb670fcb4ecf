import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { closeAfter } from './close-after.js'
import { startEngine } from './embedded-engine.js'
import { migrate, migrationHashes } from './migrate.js'
import { openPool } from './pool.js'

// Initialising a Postgres folder takes PGlite seconds and 900 MB; copying one takes a moment. So the build makes one,
// migrated, beside the compiled code, and a first start copies it. What runs from source makes it at the first need.

const prefix = 'embedded-template-'
/** The same place from src/db and from dist/db. */
const templates = fileURLToPath(new URL('../../dist/db', import.meta.url))

/**
 * Creates a migrated data directory where there is none. It appears whole or not at all, whenever the process is
 * killed.
 */
export async function createFolder (folder: string): Promise<void> {
  const unfinished = `${folder}.new`
  await rm(unfinished, { recursive: true, force: true })
  const template = await findTemplate()
  if (template === null) await initialise(unfinished)
  else await cp(template, unfinished, { recursive: true })
  // Postgres opens no folder that others may read.
  await chmod(unfinished, 0o700)
  await rename(unfinished, folder)
}

/** Makes the template for these migrations and this PGlite, unless it is there, and removes those for others. */
export async function buildTemplate (): Promise<string> {
  const template = join(templates, prefix + await templateKey())
  if (existsSync(template)) return template
  await mkdir(templates, { recursive: true })
  for (const name of await readdir(templates)) {
    // Unfinished ones (`….123`) may be another process's at work.
    if (name.startsWith(prefix) && !name.includes('.') &&
      name !== basename(template)) await rm(join(templates, name), { recursive: true, force: true })
  }
  const unfinished = `${template}.${process.pid}`
  await initialise(unfinished)
  await openToAll(unfinished)
  try {
    await rename(unfinished, template)
  } catch (error) {
    // Another process was faster.
    await rm(unfinished, { recursive: true })
    if (!existsSync(template)) throw error
  }
  return template
}

/** Null: there is none, and none can be made, since the folder is not ours to write. */
async function findTemplate (): Promise<string | null> {
  try {
    return await buildTemplate()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return null
    throw error
  }
}

async function initialise (folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  const engine = await startEngine(folder, { onNotify: () => {}, onDisconnect: () => {} })
  try {
    const database = openPool(engine.client)
    await migrate(database)
    // No databases are created here, and these could not be vacuumed: transaction ids would run out on them.
    await database.execute(sql`update pg_database set datistemplate = false where datname <> current_database()`)
    await database.execute(sql`drop database template1`)
    await database.execute(sql`drop database template0`)
    await database.execute(sql`vacuum (freeze, analyze)`)
  } catch (error) {
    return await closeAfter(error, engine.close)
  }
  await engine.close()
}

async function templateKey (): Promise<string> {
  const packageFile = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'))
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string }
  return createHash('sha256').update([version, ...migrationHashes()].join('\n')).digest('hex').slice(0, 16)
}

/** Another user may run the build than the gateway. */
async function openToAll (folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644)
  }
}
