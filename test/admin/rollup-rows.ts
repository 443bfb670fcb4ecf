import type { usageRollups } from '../../src/db/schema/index.js'

export type RollupRow = typeof usageRollups.$inferInsert

/** An hour with one call, unless the fields say otherwise. */
export function rollupRow (fields: Partial<RollupRow> = {}): RollupRow {
  return {
    hour: '2026-11-02T10:00:00Z',
    prompt_type: 'a',
    model: 'm',
    user_name: '',
    calls: 1,
    failed_calls: 0,
    blocked_calls: 0,
    unpriced_calls: 0,
    input_tokens: 10,
    cached_input_tokens: 1,
    output_tokens: 2,
    reasoning_tokens: 0,
    cost: '0.000000000001',
    duration_ms: 5,
    ...fields
  }
}
