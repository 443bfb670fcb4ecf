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

/** One record as JSON text. */
export function entryToJson (entry: BatchEntry): string {
  return JSON.stringify(entry, withoutBigints)
}

/** @throws SyntaxError where the text is not JSON. It is ours and was checked by its checksum: its shape is not checked. */
export function parseBatch (json: string): RecordBatch {
  const batch = JSON.parse(json) as JsonBatch
  return { id: batch.id, entries: batch.entries.map(({ record, payload }): BatchEntry => ({ record: fromJson(record), payload })) }
}

/** What records are without that were kept before there were these members. */
const LATER_MEMBERS = { isCall: true, blocked: false, usageDetails: null }

const fromJson = (record: JsonRecord): CallRecord =>
  ({ ...LATER_MEMBERS, ...record, costPicoUsd: record.costPicoUsd === null ? null : BigInt(record.costPicoUsd) })

const withoutBigints = (_key: string, value: unknown): unknown => typeof value === 'bigint' ? value.toString() : value
