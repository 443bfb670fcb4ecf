import { Type, type Static } from 'typebox'
import { Count, PromptTypeName } from './common.js'
import { promptConfigFilter } from './prompt-config-filter.js'

const set = Type.Object({
  track_full_data: Type.Optional(Type.Boolean()),
  is_active: Type.Optional(Type.Boolean())
}, { additionalProperties: false, minProperties: 1, description: 'What each of them gets' })
export type PromptConfigSet = Static<typeof set>

export const MAX_BULK_NAMES = 10_000

export const PromptConfigBulkSchema = Type.Object({
  prompt_types: Type.Optional(Type.Array(PromptTypeName(), {
    minItems: 1, maxItems: MAX_BULK_NAMES, description: 'These, each of which must have a config'
  })),
  filter: Type.Optional(Type.Object(promptConfigFilter, {
    additionalProperties: false, description: 'All that GET /admin/api/prompt-configs finds with these filters; `{}` is every config'
  })),
  set
}, {
  additionalProperties: false,
  description: 'Either `prompt_types` or `filter`, and `set`',
  examples: [
    { prompt_types: ['select_best_tags', 'generate_image_metadata'], set: { track_full_data: true } },
    { filter: { search: 'import-' }, set: { is_active: false } }
  ]
})

export const BulkChangeSchema = Type.Object({
  updated: Count('How many configs were chosen, and have these switches now')
}, {
  $id: 'BulkChange',
  description: 'What a bulk change reached',
  examples: [{ updated: 2 }]
})
