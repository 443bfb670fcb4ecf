import type { promptStats, usageLogs } from '../../src/db/schema/index.js'

type UsageLogRow = typeof usageLogs.$inferInsert
export type PromptStatsRow = typeof promptStats.$inferInsert

/** A UUIDv7 (RFC 9562 §5.7) of this moment, the same for the same number. */
export function uuidv7 (time: Date | string, number: number): string {
  const ms = new Date(time).getTime().toString(16).padStart(12, '0')
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`
}

let rows = 0

/** A plain successful call, finished now unless the fields say otherwise. */
export function usageLogRow (fields: Partial<UsageLogRow> = {}): UsageLogRow {
  const createdAt = fields.created_at ?? new Date().toISOString()
  return {
    id: uuidv7(createdAt, rows++),
    created_at: createdAt,
    prompt_type: 'a',
    provider: 'openai',
    endpoint: 'chat/completions',
    request_model: 'gpt-4o',
    response_model: 'gpt-4o-2024-08-06',
    stream: false,
    status_code: 200,
    success: true,
    input_tokens: 10,
    cached_input_tokens: 0,
    output_tokens: 5,
    reasoning_tokens: 0,
    usage_source: 'upstream',
    cost: '0.000075000000',
    duration_ms: 100,
    time_to_first_byte_ms: 90,
    request_bytes: 100,
    response_bytes: 200,
    ...fields
  }
}
