import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { BatchEntry } from './call-record.js'

/**
 * Whether an error means that the database will never take this data: SQLSTATE class 22 (data exception), 23 (integrity
 * constraint violation) or 54 (program limit exceeded), https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function isRefusal (error: unknown): boolean {
  const code = sqlState(error)
  return code !== null && /^(?:22|23|54)/.test(code)
}

/** drizzle wraps the driver's error. */
function sqlState (error: unknown): string | null {
  if (!(error instanceof Error)) return null
  if ('code' in error && typeof error.code === 'string' && error.code.length === 5) return error.code
  return sqlState(error.cause)
}

/** Keeps a record that the database refuses, with its error, as a line of JSON in `dataDir/rejected.jsonl`. */
export async function keepRejected (dataDir: string, entry: BatchEntry, error: unknown): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const line = JSON.stringify({ error: String(error instanceof Error ? error.cause ?? error : error), ...entry },
    (_key, value: unknown) => typeof value === 'bigint' ? value.toString() : value)
  await appendFile(join(dataDir, 'rejected.jsonl'), line + '\n', { mode: 0o600, flush: true })
}
