import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Log } from '../log.js'
import type { PolicyData } from './policy-store.js'

/** Changes when what is kept does. */
const FORMAT = 2

/** The last policy read, stored on disk for a start while the database is unavailable. */
export interface PolicyFile {
  /** Null where there is none that this build can read; the log says why. */
  read: (log: Log) => Promise<PolicyData | null>
  /** Replaces what is kept, whole or not at all. @throws what the file system throws */
  write: (policy: PolicyData) => Promise<void>
}

const pathIn = (dataDir: string): string => join(dataDir, 'policy.json')

/** Whether an earlier run has stored its policy there. */
export const hasPolicyFile = (dataDir: string): boolean => existsSync(pathIn(dataDir))

/**
 * The policy file of a data folder. It contains only hashes of keys, as the database does, and only its owner can read
 * it.
 */
export function policyFile (dataDir: string): PolicyFile {
  const path = pathIn(dataDir)
  let writing = Promise.resolve()
  return {
    read: async log => {
      if (!existsSync(path)) return null
      try {
        const kept = JSON.parse(await readFile(path, 'utf8')) as {
          readonly format: number, readonly policy: PolicyData
        }
        if (kept.format !== FORMAT) throw new Error(`its format is ${String(kept.format)}, not ${FORMAT}`)
        return kept.policy
      } catch (error) {
        log.warn({ err: error, file: path }, 'the policy of the last run cannot be read')
        return null
      }
    },
    write: policy => {
      // One at a time, for they share the file that is renamed. The caller of the one before has its error.
      writing = writing.catch(() => {}).then(() => replace(path, JSON.stringify({ format: FORMAT, policy })))
      return writing
    }
  }
}

async function replace (path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const written = `${path}.new`
  const file = await open(written, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(written, path)
}
