import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { readOrCreateSecret } from './lib/data-file.js'

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
  const { secret: password, isNew } = await readOrCreateSecret(file, randomBytes(18).toString('base64url'))
  if (password === '') throw new Error(`${file} is empty. Write a password into it, or delete it to have one made.`)
  return { password, isNew, file }
}
