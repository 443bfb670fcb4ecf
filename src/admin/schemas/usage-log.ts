import { Type, type Static } from 'typebox'
import { Count, Instant, Nullable, NullableJsonObject, Usd } from './common.js'

const example = {
  id: '019aae3f-9c4e-7cc3-98c4-dc0c0c07398f',
  created_at: '2026-11-22T21:04:05.678Z',
  prompt_type: 'generate_image_metadata',
  prompt_config_id: 7,
  task_description: 'Alt text and tags for an uploaded image',
  provider: 'openai',
  endpoint: 'chat/completions',
  request_model: 'gpt-4o-mini',
  response_model: 'gpt-4o-mini-2024-07-18',
  service_tier: 'default',
  user: 'importer',
  key_id: null,
  metadata: { batch: '2026-11-22' },
  stream: false,
  status_code: 200,
  success: true,
  error_type: null,
  error_message: null,
  input_tokens: 1200,
  cached_input_tokens: 0,
  output_tokens: 60,
  reasoning_tokens: 0,
  usage_source: 'upstream',
  cost: 0.000216,
  cost_reason: null,
  duration_ms: 840,
  time_to_first_byte_ms: 790,
  upstream_request_id: 'req_0123456789abcdef',
  request_bytes: 4096,
  response_bytes: 1024,
  prompt: null,
  response: null
}

export const UsageLogSchema = Type.Object({
  id: Type.String({ format: 'uuid', description: 'UUIDv7: ids sort by time' }),
  created_at: Instant('When the call finished'),
  prompt_type: Type.String({ description: '`untyped` for a call without one' }),
  prompt_config_id: Nullable(Type.Integer({ description: 'Null once the config is deleted' })),
  task_description: Nullable(Type.String({ description: "The call's X-Prompt-Description" })),
  provider: Type.String(),
  endpoint: Type.String({ description: 'The route behind /v1/' }),
  request_model: Nullable(Type.String()),
  response_model: Nullable(Type.String()),
  service_tier: Nullable(Type.String({ description: 'The tier that served the call' })),
  user: Nullable(Type.String({ description: 'The user of the call' })),
  key_id: Nullable(Type.String({ description: "The gateway key's id" })),
  metadata: NullableJsonObject("The call's metadata"),
  stream: Type.Boolean(),
  status_code: Type.Integer({ description: 'What the caller was sent; 499 if it left before there was a status' }),
  success: Type.Boolean(),
  error_type: Nullable(Type.String()),
  error_message: Nullable(Type.String()),
  input_tokens: Nullable(Count('Tokens in')),
  cached_input_tokens: Nullable(Count('Part of input_tokens')),
  output_tokens: Nullable(Count('Tokens out')),
  reasoning_tokens: Nullable(Count('Part of output_tokens')),
  usage_source: Type.String({ enum: ['upstream', 'estimated', 'none'], description: 'Who counted the tokens' }),
  cost: Nullable(Usd('USD; null when it cannot be priced')),
  cost_reason: Nullable(
    Type.String({ description: 'Why cost is null: unknown_model; no_usage; not_metered: nothing to bill, or blocked' })
  ),
  duration_ms: Count('Milliseconds'),
  time_to_first_byte_ms: Nullable(Count('Milliseconds')),
  upstream_request_id: Nullable(Type.String({ description: "Upstream's x-request-id" })),
  request_bytes: Count('Bytes'),
  response_bytes: Count('Bytes'),
  prompt: Nullable(Type.String({ description: 'Request body, only where full data was stored' })),
  response: Nullable(Type.String({ description: 'Response body, only where full data was stored' }))
}, {
  $id: 'UsageLog',
  description: 'One call, or one request that only reads or is free: such a request counts in no statistics',
  examples: [example]
})
export type UsageLog = Static<typeof UsageLogSchema>

const { prompt: _prompt, response: _response, ...summaryExample } = example

export const UsageLogSummarySchema = Type.Object(Type.Omit(UsageLogSchema, ['prompt', 'response']).properties, {
  $id: 'UsageLogSummary',
  description: 'One call, without prompt and response',
  examples: [summaryExample]
})
export type UsageLogSummary = Static<typeof UsageLogSummarySchema>
