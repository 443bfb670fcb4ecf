import { Type, type Static } from 'typebox'
import { Count, Instant, Nullable, NullableJsonObject, PromptTypeName, Usd } from './common.js'

const switches = {
  description: Type.String({ maxLength: 1000, description: 'What the prompt does' }),
  track_full_data: Type.Boolean({ description: 'The whole prompt and response go into the usage log' }),
  is_active: Type.Boolean({ description: 'Usage-log rows are written at all' })
}

const example = {
  prompt_type: 'generate_image_metadata',
  description: 'Alt text and tags for an uploaded image',
  track_full_data: false,
  is_active: true,
  last_prompt: '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Describe the image."}]}',
  last_response: '{"id":"chatcmpl-1","choices":[{"message":{"role":"assistant","content":"A lighthouse."}}]}',
  last_model: 'gpt-4o-mini-2024-07-18',
  last_input_tokens: 1200,
  last_output_tokens: 60,
  last_cost: 0.000216,
  last_user: 'importer',
  last_metadata: { batch: '2026-11-22' },
  last_called_at: '2026-11-22T21:04:05.678Z',
  last_duration_ms: 840,
  last_status_code: 200,
  last_error: null,
  total_calls: 4,
  failed_calls: 1,
  blocked_calls: 0,
  unpriced_calls: 0,
  total_input_tokens: 3600,
  total_output_tokens: 180,
  total_cost: 0.000648,
  avg_cost_per_call: 0.000162,
  blocked: null,
  created_at: '2026-11-20T08:00:00.000Z',
  updated_at: '2026-11-21T09:30:00.000Z'
}

export const PromptConfigSchema = Type.Object({
  prompt_type: PromptTypeName(),
  ...switches,
  last_prompt: Nullable(Type.String({ description: 'Request body of the latest call, inline media elided' })),
  last_response: Nullable(
    Type.String({
      description: "Response body of the latest call; a stream's chunks are accumulated into one object"
    })
  ),
  last_model: Nullable(Type.String({ description: "The response's model, else the request's" })),
  last_input_tokens: Nullable(Count('Input tokens of the latest call')),
  last_output_tokens: Nullable(Count('Output tokens of the latest call')),
  last_cost: Nullable(Usd('USD; null where the latest call could not be priced')),
  last_user: Nullable(Type.String()),
  last_metadata: NullableJsonObject('Metadata of the latest call'),
  last_called_at: Nullable(Instant('When the latest call finished; null before the first')),
  last_duration_ms: Nullable(Count('Milliseconds')),
  last_status_code: Nullable(Type.Integer()),
  last_error: Nullable(Type.String({ description: 'Why the latest call failed; null if it did not' })),
  total_calls: Count('Every call, also while is_active is false. Requests that only read or are free are no calls'),
  failed_calls: Count('Of these, the ones that failed'),
  blocked_calls: Count('Calls stopped by a budget; not part of total_calls'),
  unpriced_calls: Count('Calls that should have a cost but have none'),
  total_input_tokens: Count('Input tokens of every call'),
  total_output_tokens: Count('Output tokens of every call'),
  total_cost: Usd('USD'),
  avg_cost_per_call: Nullable(Usd('USD, total_cost / total_calls; null before the first call')),
  blocked: Type.Unsafe<{ budget_id: string, since: string, until: string | null } | null>({
    type: ['object', 'null'],
    description: 'The budget that stops calls of this type now; null if none does',
    properties: {
      budget_id: Type.String(),
      since: Instant('Since when'),
      until: Nullable(Instant('When the period ends; null for a budget without periods'))
    }
  }),
  created_at: Instant('When the config was created'),
  updated_at: Instant('When an operator last changed it')
}, {
  $id: 'PromptConfig',
  description: "A prompt type's switches, its latest call and its statistics",
  examples: [example]
})
export type PromptConfig = Static<typeof PromptConfigSchema>

const { last_prompt: _prompt, last_response: _response, ...summaryExample } = example

export const PromptConfigSummarySchema = Type.Object(Type.Omit(PromptConfigSchema, [
  'last_prompt', 'last_response'
]).properties, {
  $id: 'PromptConfigSummary',
  description: 'A prompt config without last_prompt and last_response',
  examples: [summaryExample]
})
export type PromptConfigSummary = Static<typeof PromptConfigSummarySchema>

const patch = {
  description: Type.Optional(switches.description),
  track_full_data: Type.Optional(switches.track_full_data),
  is_active: Type.Optional(switches.is_active)
}

export const PromptConfigPatchSchema = Type.Object(patch, {
  additionalProperties: false,
  minProperties: 1,
  examples: [{ track_full_data: true }]
})
export type PromptConfigPatch = Static<typeof PromptConfigPatchSchema>

export const NewPromptConfigSchema = Type.Object({ prompt_type: PromptTypeName(), ...patch }, {
  additionalProperties: false,
  description: 'Omitted switches start as the settings say',
  examples: [
    { prompt_type: 'select_best_tags', description: 'Picks the tags that fit a page best', track_full_data: true }
  ]
})
export type NewPromptConfig = Static<typeof NewPromptConfigSchema>
