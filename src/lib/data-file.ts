import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The text of a file in the data folder. @throws with `path`, which Node's error lacks for a folder in its place */
export async function readDataFile (file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error) Object.assign(error, { path: file })
    throw error
  }
}

/**
 * The secret that a file in the data folder keeps, without blanks around it. Where there is no file, `made` goes into a
 * new one, for its owner's eyes only: of several starts at once, one makes it and the others read it.
 */
export async function readOrCreateSecret (file: string, made: string): Promise<{ secret: string, isNew: boolean }> {
  await mkdir(dirname(file), { recursive: true })
  try {
    await writeFile(file, made + '\n', { mode: 0o600, flag: 'wx' })
    return { secret: made, isNew: true }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  return { secret: (await readDataFile(file)).trim(), isNew: false }
}
