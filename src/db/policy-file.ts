import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../log.js'
import type { PolicyData } from './policy-store.js'

/** Changes when what is kept does. */
const FORMAT = 1

/** The last policy read, kept on disk for a start while the database is away. */
export interface PolicyFile {
  /** Null where there is none that this build can read; the log says why. */
  read: (log: Log) => Promise<PolicyData | null>
  /** Replaces what is kept, whole or not at all. @throws what the file system throws */
  write: (policy: PolicyData) => Promise<void>
}

const pathIn = (dataDir: string): string => join(dataDir, 'policy.json')

/** Whether an earlier run has kept its policy there. */
export const hasPolicyFile = (dataDir: string): boolean => existsSync(pathIn(dataDir))

/** Keys are kept as their hashes, as in the database; the file is its owner's only all the same. */
export function policyFile (dataDir: string): PolicyFile {
  const path = pathIn(dataDir)
  return {
    read: async log => {
      if (!existsSync(path)) return null
      try {
        const kept = JSON.parse(await readFile(path, 'utf8')) as { readonly format: number, readonly policy: PolicyData }
        return kept.format === FORMAT ? kept.policy : null
      } catch (error) {
        log.warn({ err: error, file: path }, 'the policy of the last run cannot be read')
        return null
      }
    },
    write: async policy => {
      await mkdir(dataDir, { recursive: true })
      const written = `${path}.new`
      const file = await open(written, 'w', 0o600)
      try {
        await file.writeFile(JSON.stringify({ format: FORMAT, policy }))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(written, path)
    }
  }
}
