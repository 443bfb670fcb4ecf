import { Type, type Static } from 'typebox'
import { Count, Instant, InstantText, Nullable } from './common.js'

/** A dollar a token: more is a slip. */
const MAX_USD_PER_MILLION = 1_000_000

const usdPerMillion = (description: string) =>
  Type.Number({
    minimum: 0,
    maximum: MAX_USD_PER_MILLION,
    description: `${description}, USD per million tokens, with up to six decimals`
  })

const rates = {
  input: usdPerMillion('Input'),
  cached_input: Nullable(usdPerMillion('Cached input; null: as input')),
  output: usdPerMillion('Output, reasoning included'),
  audio_input: Nullable(usdPerMillion('Audio input; null: as input')),
  audio_output: Nullable(usdPerMillion('Audio output; null: as output'))
}

const entry = {
  effective_from: Instant("The price applies to calls from this time on, until the model's next price"), ...rates
}

const example = {
  effective_from: '2026-11-01T00:00:00.000Z',
  input: 2.5,
  cached_input: 1.25,
  output: 10,
  audio_input: null,
  audio_output: null
}

const PriceEntrySchema = Type.Object(entry)
export type PriceEntry = Static<typeof PriceEntrySchema>

export const ModelPriceSchema = Type.Object({
  model: Type.String({
    description: 'As calls name it. Dated snapshots of it cost the same, unless they have a price of their own here'
  }),
  ...entry,
  others: Type.Array(PriceEntrySchema, { description: 'Its earlier and later prices, the earliest first' })
}, {
  $id: 'ModelPrice',
  description: 'A price of your own: the current one, else the next one',
  examples: [
    { model: 'gpt-4o', ...example, others: [{ ...example, effective_from: '2027-01-01T00:00:00.000Z', input: 2 }] }
  ]
})
export type ModelPrice = Static<typeof ModelPriceSchema>

export const NewPriceSchema = Type.Object({
  input: rates.input,
  cached_input: Type.Optional(rates.cached_input),
  output: rates.output,
  audio_input: Type.Optional(rates.audio_input),
  audio_output: Type.Optional(rates.audio_output),
  effective_from: Type.Optional(InstantText('Default: now'))
}, {
  additionalProperties: false,
  examples: [{ input: 2.5, cached_input: 1.25, output: 10, effective_from: '2026-11-01T00:00:00Z' }]
})
export type NewPrice = Static<typeof NewPriceSchema>

export interface LaterPrice { readonly model: string, readonly effective_from: string }

export const UnpricedModelSchema = Type.Object({
  model: Type.String({ description: "The response's model, else the requested one; empty where neither was known" }),
  unpriced_calls: Count('Calls that should have a cost and have none'),
  since: Instant('The hour of the first of them'),
  last_seen: Instant('The start of the hour in which the latest of them ended'),
  first_call_at: Nullable(Instant('When the first of them began, of those in the usage log; null where the log does not contain it. ' +
    'A price of your own from this time on covers them all, but for longer calls that began earlier')),
  later_price: Type.Unsafe<LaterPrice | null>({
    type: ['object', 'null'],
    required: ['model', 'effective_from'],
    description: 'Your own price that begins only after the first of them; earlier calls stay unpriced until they get one too. Null where there is none',
    properties: {
      model: Type.String({ description: 'Its name: the model, or the family that this is a dated snapshot of' }),
      effective_from: Instant('From when on it applies')
    }
  }),
  has_price: Type.Boolean({
    description: 'The model has a price now: repricing corrects its calls, except those with unknown tokens. ' +
      'False: the model needs a price of your own'
  })
}, {
  $id: 'UnpricedModel',
  description: 'A model with calls whose cost is not known',
  examples: [
    {
      model: 'our-own-model',
      unpriced_calls: 12,
      since: '2026-11-20T08:00:00.000Z',
      last_seen: '2026-11-22T21:00:00.000Z',
      first_call_at: '2026-11-20T08:12:30.123Z',
      later_price: null,
      has_price: false
    }
  ]
})
export type UnpricedModel = Static<typeof UnpricedModelSchema>
