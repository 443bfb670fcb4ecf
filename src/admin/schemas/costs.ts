import { Type, type Static } from 'typebox'
import { NextCursor } from '../keyset-page.js'
import { Count, Instant, InstantText, Nullable, Usd } from './common.js'

const hours = 'The books are kept by the hour: a moment within one stands for '

/** The query parameters of a period. */
export const rangeParameters = {
  from: Type.Optional(
    InstantText(`${hours}its start. Without it: thirty UTC days, of which the last is that of \`to\``)
  ),
  to: Type.Optional(
    InstantText(`${hours}its end; a whole hour is not part of the period. Without it: the end of this hour`)
  )
}

/** Those of the period that it is compared with. */
export const previousRangeParameters = {
  previous_from: Type.Optional(
    InstantText(
      `Start of the period to compare with. ${hours}its start. Without it the period before is as long as the period`
    )
  ),
  previous_to: Type.Optional(
    InstantText('End of the period to compare with, likewise. Without it that one ends where the period starts')
  )
}

const figures = {
  calls: Count('Every call but those stopped by a budget'),
  failed_calls: Count('Of these, the ones that failed'),
  blocked_calls: Count('Calls stopped by a budget; not part of calls'),
  unpriced_calls: Count('Calls that should have a cost but have none; not part of cost'),
  input_tokens: Count('Tokens in'),
  cached_input_tokens: Count('Part of input_tokens'),
  output_tokens: Count('Tokens out'),
  cost: Usd('USD'),
  avg_cost_per_call: Nullable(Usd('USD; null where there were no calls')),
  avg_duration_ms: Nullable(Type.Number({ description: 'Milliseconds; null where there were no calls' }))
}

export type CostFigures = { [field in keyof typeof figures]: Static<typeof figures[field]> }

const example: CostFigures = {
  calls: 4,
  failed_calls: 1,
  blocked_calls: 0,
  unpriced_calls: 0,
  input_tokens: 3600,
  cached_input_tokens: 1024,
  output_tokens: 180,
  cost: 0.000648,
  avg_cost_per_call: 0.000162,
  avg_duration_ms: 812.5
}

const group = Nullable(
  Type.String({ description: "The prompt type, model or user; '' for calls that named none; null without group_by" })
)
const range = {
  from: Instant('Start of the first hour that is counted'),
  to: Instant('End of the last hour that is counted')
}
const exampleRange = { from: '2026-11-01T00:00:00.000Z', to: '2026-12-01T00:00:00.000Z' }

export const CostsSchema = Type.Object({
  items: Type.Array(
    Type.Object({ group, bucket: Nullable(Instant('Start of the bucket; null without interval')), ...figures })
  ),
  totals: Type.Object(figures, { description: 'Over all groups and buckets, those that `limit` leaves out too' }),
  ...range
}, {
  $id: 'Costs',
  description: 'Sums per group and bucket: the group of the greatest cost first, its buckets in order',
  examples: [
    {
      items: [{ group: 'generate_image_metadata', bucket: '2026-11-01T00:00:00.000Z', ...example }],
      totals: example,
      ...exampleRange
    }
  ]
})
export type Costs = Static<typeof CostsSchema>

export const TopMoversSchema = Type.Object({
  items: Type.Array(Type.Object({
    group,
    cost: Usd('USD in the period'),
    previous_cost: Usd('USD in the period before'),
    change: Usd('cost - previous_cost'),
    change_ratio: Nullable(Type.Number({ description: 'change / previous_cost; null where that is 0' })),
    calls: Count('In the period'),
    previous_calls: Count('In the period before')
  })),
  ...range,
  previous_from: Instant('Start of the first hour of the period before'),
  previous_to: Instant('End of its last hour')
}, {
  $id: 'TopMovers',
  description: 'Groups whose cost changed most, up or down',
  examples: [{
    items: [
      {
        group: 'generate_image_metadata',
        cost: 12.5,
        previous_cost: 10,
        change: 2.5,
        change_ratio: 0.25,
        calls: 5000,
        previous_calls: 4000
      }
    ],
    ...exampleRange,
    previous_from: '2026-10-02T00:00:00.000Z',
    previous_to: '2026-11-01T00:00:00.000Z'
  }]
})
export type TopMovers = Static<typeof TopMoversSchema>

export const DailyCostsSchema = Type.Object({
  items: Type.Array(Type.Object({
    prompt_type: Type.String(),
    costs: Type.Array(Usd('USD'), { description: 'One for each of `days`' })
  }), { description: 'In the order of the prompt configs' }),
  days: Type.Array(Instant('Start of the UTC day')),
  next_cursor: NextCursor()
}, {
  $id: 'DailyCosts',
  description: 'What the prompt types of one page of a list cost on each of the last days',
  examples: [{
    items: [
      { prompt_type: 'generate_image_metadata', costs: [0.000648, 0] }
    ],
    days: ['2026-11-22T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    next_cursor: null
  }]
})
export type DailyCosts = Static<typeof DailyCostsSchema>

export const WhatIfSchema = Type.Object({
  prompt_type: Nullable(Type.String({ description: 'Null: all traffic' })),
  actual: Type.Object(figures, { description: 'What was used, and what it cost' }),
  items: Type.Array(Type.Object({
    model: Type.String(),
    cost: Nullable(Usd('USD for the same tokens; null where no price is known for the model')),
    cost_reason: Nullable(Type.String({ description: 'Why cost is null: unknown_model' })),
    difference: Nullable(Usd('cost - actual.cost'))
  }), { description: 'In the order asked for' }),
  ...range
}, {
  $id: 'WhatIf',
  description: "The period's tokens on other models",
  examples: [{
    prompt_type: 'generate_image_metadata',
    actual: example,
    items: [
      { model: 'gpt-4o', cost: 0.0083, cost_reason: null, difference: 0.007652 },
      { model: 'gpt-99', cost: null, cost_reason: 'unknown_model', difference: null }
    ],
    ...exampleRange
  }]
})
export type WhatIf = Static<typeof WhatIfSchema>
