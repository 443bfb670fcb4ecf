import { readdirSync } from 'node:fs'
import t from 'tap'

/** For all files of a folder together: several times what they take, for a machine that others keep busy. */
const LIMIT_MS = 900_000

/**
 * Runs the test files of a folder of `test/` one after the other in this process, which then loads the app, PGlite and
 * PostgreSQL once for all of them: with a process each that took two thirds of their time. It is for files that leave
 * nothing behind in their modules.
 */
export async function importTests (folder: string): Promise<void> {
  t.setTimeout(LIMIT_MS)
  const url = new URL(`../${folder}/`, import.meta.url)
  for (const name of readdirSync(url).filter(name => name.endsWith('.test.ts'))
    .sort()) await import(new URL(name, url).href)
}
