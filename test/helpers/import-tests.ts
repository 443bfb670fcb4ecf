import { readdirSync } from 'node:fs'
import t from 'tap'

/**
 * Runs the test files of a folder of `test/` one after the other in this process, which then loads the app, PGlite and
 * PostgreSQL once for all of them: with a process each that took two thirds of their time. It is for files that leave
 * nothing behind in their modules. `limitMs` is for all of them together.
 */
export async function importTests (folder: string, limitMs: number): Promise<void> {
  t.setTimeout(limitMs)
  const url = new URL(`../${folder}/`, import.meta.url)
  for (const name of readdirSync(url).filter(name => name.endsWith('.test.ts')).sort()) await import(new URL(name, url).href)
}
