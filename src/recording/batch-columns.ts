import { promptConfigs, promptStats, usageLogs, usageRollups } from '../db/schema/index.js'
import type { Column } from '../db/batch-statement.js'
import { payload, plain, text } from './composite-literal.js'
import type { Field } from './composite-literal.js'
import { costOrNull, count, countOrNull, moment } from './batch-totals.js'
import type { LogRow, RollupTotals, TypeTotals } from './batch-totals.js'
import type { CallRecord } from './call-record.js'

/** Postgres reads an exponent: the decimal point moves without arithmetic. */
const cost = <Row> (column: Column, picoUsd: (row: Row) => bigint | null): Field<Row> => plain(column, row => {
  const amount = picoUsd(row)
  return amount === null ? null : `${amount}e-12`
})

const time = <Row> (column: Column, timeMs: (row: Row) => number): Field<Row> =>
  plain(column, row => isoTime(moment(timeMs(row))))

/** A value of the type's latest call; null where it has none. */
function ofLast<Value> (value: (record: CallRecord) => Value | null): (type: TypeTotals) => Value | null {
  return ({ last }) => last === null ? null : value(last.record)
}

let isoSecond = -1
let isoPrefix = ''

/**
 * What `toISOString` says, which takes a microsecond: most moments of a batch are of the second that the last one was.
 */
function isoTime (timeMs: number): string {
  const second = Math.floor(timeMs / 1000)
  if (second !== isoSecond) {
    isoSecond = second
    isoPrefix = new Date(second * 1000).toISOString().slice(0, -'000Z'.length)
  }
  return `${isoPrefix}${String(timeMs - second * 1000).padStart(3, '0')}Z`
}

/** Of the config that a type's first call creates. */
const configFields: readonly Field<TypeTotals>[] = [
  text(promptConfigs.prompt_type, type => type.promptType),
  text(promptConfigs.description, type => type.first.taskDescription ?? ''),
  plain(promptConfigs.track_full_data, type => type.first.newConfig.trackFullData),
  plain(promptConfigs.is_active, type => type.first.newConfig.isActive)
]

/** Added to a type's statistics. */
const counterFields: readonly Field<TypeTotals>[] = [
  plain(promptStats.total_calls, type => type.calls),
  plain(promptStats.failed_calls, type => type.failedCalls),
  plain(promptStats.blocked_calls, type => type.blockedCalls),
  plain(promptStats.unpriced_calls, type => type.unpricedCalls),
  plain(promptStats.total_input_tokens, type => type.inputTokens),
  plain(promptStats.total_output_tokens, type => type.outputTokens),
  cost(promptStats.total_cost, type => type.costPicoUsd)
]

/** The latest call of a type; null in each where all were blocked. */
const lastCallFields: readonly Field<TypeTotals>[] = [
  text(promptStats.last_call_id, ofLast(record => record.id)),
  plain(promptStats.last_called_at, ofLast(record => isoTime(moment(record.createdAtMs)))),
  payload(promptStats.last_prompt, 'prompt', type => type.last?.payload ?? null),
  payload(promptStats.last_response, 'response', type => type.last?.payload ?? null),
  text(promptStats.last_model, ofLast(record => record.responseModel ?? record.requestModel)),
  plain(promptStats.last_input_tokens, ofLast(record => countOrNull(record.inputTokens))),
  plain(promptStats.last_output_tokens, ofLast(record => countOrNull(record.outputTokens))),
  cost(promptStats.last_cost, ofLast(record => costOrNull(record.costPicoUsd))),
  text(promptStats.last_user, ofLast(record => record.user)),
  text(promptStats.last_metadata, ofLast(record => record.metadata)),
  plain(promptStats.last_duration_ms, ofLast(record => count(record.durationMs))),
  plain(promptStats.last_status_code, ofLast(record => count(record.statusCode))),
  plain(promptStats.last_success, ofLast(record => record.success)),
  text(promptStats.last_error, ofLast(record => record.errorMessage))
]

const rollupKeyFields: readonly Field<RollupTotals>[] = [
  time(usageRollups.hour, rollup => rollup.hourMs),
  text(usageRollups.prompt_type, rollup => rollup.promptType),
  text(usageRollups.model, rollup => rollup.model),
  text(usageRollups.user_name, rollup => rollup.user)
]

/** Added to a rollup row. */
const rollupFields: readonly Field<RollupTotals>[] = [
  plain(usageRollups.calls, rollup => rollup.calls),
  plain(usageRollups.failed_calls, rollup => rollup.failedCalls),
  plain(usageRollups.blocked_calls, rollup => rollup.blockedCalls),
  plain(usageRollups.unpriced_calls, rollup => rollup.unpricedCalls),
  plain(usageRollups.input_tokens, rollup => rollup.inputTokens),
  plain(usageRollups.cached_input_tokens, rollup => rollup.cachedInputTokens),
  plain(usageRollups.output_tokens, rollup => rollup.outputTokens),
  plain(usageRollups.reasoning_tokens, rollup => rollup.reasoningTokens),
  cost(usageRollups.cost, rollup => rollup.costPicoUsd),
  plain(usageRollups.duration_ms, rollup => rollup.durationMs)
]

/** Members of `write_batch_v2_type`, in its order. */
export const typeFields: readonly Field<TypeTotals>[] = [...configFields, ...counterFields, ...lastCallFields]
/** Of `write_batch_v2_rollup`. */
export const rollupRowFields: readonly Field<RollupTotals>[] = [...rollupKeyFields, ...rollupFields]
/** Of `write_batch_v2_log`. */
export const logFields: readonly Field<LogRow>[] = [
  text(usageLogs.id, ({ record }) => record.id),
  time(usageLogs.created_at, ({ record }) => record.createdAtMs),
  text(usageLogs.prompt_type, ({ type }) => type.promptType),
  text(usageLogs.task_description, ({ record }) => record.taskDescription),
  text(usageLogs.provider, ({ record }) => record.provider),
  text(usageLogs.endpoint, ({ record }) => record.endpoint),
  text(usageLogs.request_model, ({ record }) => record.requestModel),
  text(usageLogs.response_model, ({ record }) => record.responseModel),
  text(usageLogs.service_tier, ({ record }) => record.serviceTier),
  text(usageLogs.user_name, ({ record }) => record.user),
  text(usageLogs.key_id, ({ record }) => record.keyId),
  text(usageLogs.metadata, ({ record }) => record.metadata),
  plain(usageLogs.stream, ({ record }) => record.stream),
  plain(usageLogs.status_code, ({ record }) => count(record.statusCode)),
  plain(usageLogs.success, ({ record }) => record.success),
  text(usageLogs.error_type, ({ record }) => record.errorType),
  text(usageLogs.error_message, ({ record }) => record.errorMessage),
  plain(usageLogs.input_tokens, ({ record }) => countOrNull(record.inputTokens)),
  plain(usageLogs.cached_input_tokens, ({ record }) => countOrNull(record.cachedInputTokens)),
  plain(usageLogs.output_tokens, ({ record }) => countOrNull(record.outputTokens)),
  plain(usageLogs.reasoning_tokens, ({ record }) => countOrNull(record.reasoningTokens)),
  text(usageLogs.usage_details, ({ record }) => record.usageDetails),
  text(usageLogs.usage_source, ({ record }) => record.usageSource),
  cost(usageLogs.cost, ({ record }) => costOrNull(record.costPicoUsd)),
  text(usageLogs.cost_reason, ({ record }) => record.costReason),
  plain(usageLogs.duration_ms, ({ record }) => count(record.durationMs)),
  plain(usageLogs.time_to_first_byte_ms, ({ record }) => countOrNull(record.timeToFirstByteMs)),
  text(usageLogs.upstream_request_id, ({ record }) => record.upstreamRequestId),
  plain(usageLogs.request_bytes, ({ record }) => count(record.requestBytes, Number.MAX_SAFE_INTEGER)),
  plain(usageLogs.response_bytes, ({ record }) => count(record.responseBytes, Number.MAX_SAFE_INTEGER)),
  payload(usageLogs.prompt, 'prompt', ({ record, payload }) => record.storeFullData ? payload : null),
  payload(usageLogs.response, 'response', ({ record, payload }) => record.storeFullData ? payload : null),
  { name: 'type_place', type: 'integer', write: ({ type }) => String(type.place) }
]
