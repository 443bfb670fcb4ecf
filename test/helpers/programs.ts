import { accessSync, constants } from 'node:fs'
import { delimiter } from 'node:path'

/** The folders of PATH, in their order. */
export const pathFolders = (): string[] => (process.env['PATH'] ?? '').split(delimiter)

/** Whether a file is there that this process may run. */
export const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
