import type { Steps } from '../lib/slices.js'
import { behindPair } from '../lib/utf8-steps.js'
import type { BatchEntry, CallRecord, RecordBatch, StoredPayload } from './call-record.js'

/** As JSON has no integers of that size, a cost is its decimal digits as text. */
interface JsonRecord extends Omit<CallRecord, 'costPicoUsd'> {
  readonly costPicoUsd: string | null
}

interface JsonBatch {
  readonly id: string
  readonly entries: ReadonlyArray<{ readonly record: JsonRecord, readonly payload: StoredPayload | null }>
}

/** A batch as JSON text, from which `parseBatch` makes an equal one. */
export function batchToJson (batch: RecordBatch): string {
  return JSON.stringify(batch, withoutBigints)
}

/** The part of a prompt or response that is written in a step, in UTF-16 code units. */
const STEP_CHARACTERS = 65_536

/** As `batchToJson`, in steps, as the pieces of its UTF-8: for prompts and responses of megabytes. */
export function * batchJsonPieces ({ id, entries }: RecordBatch): Steps<Buffer[]> {
  const pieces: Buffer[] = []
  let text = `{"id":${JSON.stringify(id)},"entries":[`
  for (const [i, { record, payload }] of entries.entries()) {
    text += `${i === 0 ? '' : ','}{"record":${JSON.stringify(record, withoutBigints)},"payload":`
    if (payload === null) {
      text += 'null}'
      continue
    }
    for (const part of ['prompt', 'response'] as const) {
      const value = payload[part]
      pieces.push(Buffer.from(`${text}${part === 'prompt' ? '{' : ','}"${part}":${value === null ? 'null' : '"'}`))
      if (value !== null) yield * writeString(value, pieces)
      text = value === null ? '' : '"'
    }
    text += '}}'
  }
  pieces.push(Buffer.from(`${text}]}`))
  return pieces
}

/** Without its quotes. */
function * writeString (value: string, pieces: Buffer[]): Steps<void> {
  for (let from = 0, to = 0; from < value.length; from = to) {
    yield
    to = behindPair(value, Math.min(from + STEP_CHARACTERS, value.length))
    pieces.push(Buffer.from(JSON.stringify(value.slice(from, to)).slice(1, -1)))
  }
}

/** One record as JSON text. */
export function entryToJson (entry: BatchEntry): string {
  return JSON.stringify(entry, withoutBigints)
}

/**
 * The batch of a JSON text that `batchToJson` wrote. Its checksum was checked, so its shape is not.
 * @throws SyntaxError where the text is not JSON
 */
export function parseBatch (json: string): RecordBatch {
  const batch = JSON.parse(json) as JsonBatch
  return {
    id: batch.id,
    entries: batch.entries.map(({ record, payload }): BatchEntry => ({ record: fromJson(record), payload }))
  }
}

/** What records are without that were kept before there were these members. */
const LATER_MEMBERS = { isCall: true, blocked: false, usageDetails: null }

const fromJson = (record: JsonRecord): CallRecord =>
  ({ ...LATER_MEMBERS, ...record, costPicoUsd: record.costPicoUsd === null ? null : BigInt(record.costPicoUsd) })

const withoutBigints = (_key: string, value: unknown): unknown => typeof value === 'bigint' ? value.toString() : value

/** A batch with longer prompts and responses is written in more than one turn of the event loop. */
export const LONG_PAYLOADS = 1024 * 1024

/** How long the batch's prompts and responses are together, in UTF-16 code units. */
export function payloadCharacters (batch: RecordBatch): number {
  let characters = 0
  for (const { payload } of batch.entries) {
    characters += (payload?.prompt?.length ?? 0) +
    (payload?.response?.length ?? 0)
  }
  return characters
}
