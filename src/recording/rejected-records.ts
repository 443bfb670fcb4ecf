import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { entryToJson } from './batch-json.js'
import type { BatchEntry } from './call-record.js'
import { redactKeys } from '../redaction/redact.js'

/** Keeps a record that the database refuses, with its error, as a line of JSON in `dataDir/rejected.jsonl`. */
export async function keepRejected (dataDir: string, entry: BatchEntry, error: unknown): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const reason = JSON.stringify(redactKeys(String(error instanceof Error ? error.cause ?? error : error)))
  const line = `{"error":${reason},${entryToJson(entry).slice(1)}\n`
  await appendFile(join(dataDir, 'rejected.jsonl'), line, { mode: 0o600, flush: true })
}
