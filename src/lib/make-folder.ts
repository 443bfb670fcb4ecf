import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Creates the folder and those above it, unless it exists. Node's own `recursive` never ends where a file system
 * denies a place in an existing folder, as /proc does.
 * @throws what the file system throws
 */
export async function makeFolder (path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && await isFolder(path)) return
    const above = dirname(path)
    if (code !== 'ENOENT' || above === path || await isFolder(above)) throw error
    await makeFolder(above)
    await mkdir(path)
  }
}

const isFolder = async (path: string): Promise<boolean> =>
  await stat(path).then(found => found.isDirectory(), () => false)
