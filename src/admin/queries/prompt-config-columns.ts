import { sql, type AnyColumn, type SQL } from 'drizzle-orm'
import { promptConfigs, promptStats } from '../../db/schema/index.js'
import type { PromptConfig } from '../schemas/prompt-config.js'
import { instant, instantNotNull, usdNumber } from './expressions.js'

/** A config without calls has no row of statistics: its counters are 0. */
const counter = (column: AnyColumn): SQL<number> => sql`coalesce(${column}, 0)`.mapWith(Number)

/** USD; null before the first call. */
export const averageCost = sql`${promptStats.total_cost} / nullif(${promptStats.total_calls}, 0)`

/** A prompt config's fields over `prompt_configs` left-joined with `prompt_stats`. */
export const promptConfigColumns = {
  prompt_type: promptConfigs.prompt_type,
  description: promptConfigs.description,
  track_full_data: promptConfigs.track_full_data,
  is_active: promptConfigs.is_active,
  last_prompt: promptStats.last_prompt,
  last_response: promptStats.last_response,
  last_model: promptStats.last_model,
  last_input_tokens: promptStats.last_input_tokens,
  last_output_tokens: promptStats.last_output_tokens,
  last_cost: usdNumber(promptStats.last_cost),
  last_user: promptStats.last_user,
  last_metadata: promptStats.last_metadata,
  last_called_at: instant(promptStats.last_called_at),
  last_duration_ms: promptStats.last_duration_ms,
  last_status_code: promptStats.last_status_code,
  last_error: promptStats.last_error,
  total_calls: counter(promptStats.total_calls),
  failed_calls: counter(promptStats.failed_calls),
  blocked_calls: counter(promptStats.blocked_calls),
  unpriced_calls: counter(promptStats.unpriced_calls),
  total_input_tokens: counter(promptStats.total_input_tokens),
  total_output_tokens: counter(promptStats.total_output_tokens),
  total_cost: counter(promptStats.total_cost),
  avg_cost_per_call: usdNumber(averageCost),
  created_at: instantNotNull(promptConfigs.created_at),
  updated_at: instantNotNull(promptConfigs.updated_at)
}

/** What a sort compares: text and booleans as they are, moments as seconds, numbers exactly. */
interface SortKey {
  readonly expression: AnyColumn | SQL
  readonly type: 'text' | 'boolean' | 'numeric'
}

const text = (column: AnyColumn): SortKey => ({ expression: column, type: 'text' })
const boolean = (column: AnyColumn): SortKey => ({ expression: column, type: 'boolean' })
const numeric = (expression: AnyColumn | SQL): SortKey => ({ expression, type: 'numeric' })
const moment = (column: AnyColumn): SortKey => numeric(sql`extract(epoch from ${column})`)

const sortKeys = {
  prompt_type: text(promptConfigs.prompt_type),
  description: text(promptConfigs.description),
  track_full_data: boolean(promptConfigs.track_full_data),
  is_active: boolean(promptConfigs.is_active),
  last_model: text(promptStats.last_model),
  last_input_tokens: numeric(promptStats.last_input_tokens),
  last_output_tokens: numeric(promptStats.last_output_tokens),
  last_cost: numeric(promptStats.last_cost),
  last_user: text(promptStats.last_user),
  last_called_at: moment(promptStats.last_called_at),
  last_duration_ms: numeric(promptStats.last_duration_ms),
  last_status_code: numeric(promptStats.last_status_code),
  total_calls: numeric(promptConfigColumns.total_calls),
  failed_calls: numeric(promptConfigColumns.failed_calls),
  blocked_calls: numeric(promptConfigColumns.blocked_calls),
  unpriced_calls: numeric(promptConfigColumns.unpriced_calls),
  total_input_tokens: numeric(promptConfigColumns.total_input_tokens),
  total_output_tokens: numeric(promptConfigColumns.total_output_tokens),
  total_cost: numeric(promptConfigColumns.total_cost),
  avg_cost_per_call: numeric(averageCost),
  created_at: moment(promptConfigs.created_at),
  updated_at: moment(promptConfigs.updated_at)
} satisfies Partial<Record<keyof PromptConfig, SortKey>>

type SortColumn = keyof typeof sortKeys
/** A column's name; with `-` before it, its greatest values first. */
export type PromptConfigSort = SortColumn | `-${SortColumn}`

export const promptConfigSorts = (Object.keys(sortKeys) as SortColumn[]).flatMap((column): PromptConfigSort[] =>
  [column, `-${column}`])

export function parseSort (sort: PromptConfigSort): SortKey & { descending: boolean } {
  const descending = sort.startsWith('-')
  return { ...sortKeys[(descending ? sort.slice(1) : sort) as SortColumn], descending }
}
