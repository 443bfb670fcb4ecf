import { Type, type Static } from 'typebox'
import { Count, InstantText, PromptTypeName, Usd } from './common.js'

export const RepriceFilterSchema = Type.Object({
  from: Type.Optional(InstantText('Calls that finished at this time or later')),
  to: Type.Optional(InstantText('Calls that finished before this time')),
  prompt_type: Type.Optional(PromptTypeName()),
  only_unpriced: Type.Optional(
    Type.Boolean({ default: true, description: 'Only calls without a cost; false: every call that is billed by token' })
  )
}, {
  additionalProperties: false,
  examples: [{ from: '2026-11-01T00:00:00Z', prompt_type: 'generate_image_metadata', only_unpriced: false }]
})
export type RepriceFilter = Static<typeof RepriceFilterSchema>

export const RepricedSchema = Type.Object({
  rows: Count('Calls whose cost has changed'),
  cost_before: Usd('What they cost before, USD'),
  cost_after: Usd('What they cost now, USD')
}, {
  $id: 'Repriced',
  description: 'What has changed',
  examples: [{ rows: 12, cost_before: 0, cost_after: 0.00342 }]
})
export type Repriced = Static<typeof RepricedSchema>
