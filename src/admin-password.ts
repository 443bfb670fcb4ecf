import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readDataFile } from './lib/data-file.js'

export interface AdminPassword {
  readonly password: string
  /** Made just now: this is the one time to show it. */
  readonly isNew: boolean
  /** Where it is kept; null where `ADMIN_PASSWORD` gives it. */
  readonly file: string | null
}

/** The operator's password: the configured one, else the one kept in `dataDir`, made there at the first start. */
export async function loadAdminPassword (configured: string | null, dataDir: string): Promise<AdminPassword> {
  if (configured !== null) return { password: configured, isNew: false, file: null }
  const file = join(dataDir, 'admin-password')
  await mkdir(dataDir, { recursive: true })
  const made = randomBytes(18).toString('base64url')
  try {
    await writeFile(file, made + '\n', { mode: 0o600, flag: 'wx' })
    return { password: made, isNew: true, file }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const password = (await readDataFile(file)).trim()
  if (password === '') throw new Error(`${file} is empty. Write a password into it, or delete it to have one made.`)
  return { password, isNew: false, file }
}
