import { readFile } from 'node:fs/promises'

/** The text of a file in the data folder. @throws with `path`, which Node's error lacks for a folder in its place */
export async function readDataFile (file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error) Object.assign(error, { path: file })
    throw error
  }
}
