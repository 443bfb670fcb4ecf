import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { BatchEntry } from './call-record.js'

/** Keeps a record that the database refuses, with its error, as a line of JSON in `dataDir/rejected.jsonl`. */
export async function keepRejected (dataDir: string, entry: BatchEntry, error: unknown): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const line = JSON.stringify({ error: String(error instanceof Error ? error.cause ?? error : error), ...entry },
    (_key, value: unknown) => typeof value === 'bigint' ? value.toString() : value)
  await appendFile(join(dataDir, 'rejected.jsonl'), line + '\n', { mode: 0o600, flush: true })
}
