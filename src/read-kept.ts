import { readFile } from 'node:fs/promises'

/** The text of a file in the data folder. Node's own error for a folder in its place does not name it. @throws with `path` */
export async function readKept (file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error) Object.assign(error, { path: file })
    throw error
  }
}
