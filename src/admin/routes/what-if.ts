import { Type } from 'typebox'
import { readOperatorPrices } from '../../db/policy-store.js'
import { picoUsdToNumber } from '../../lib/usd.js'
import { createPricing } from '../../pricing/pricing.js'
import { costOnModel } from '../costs/cost-on-model.js'
import { costRange, shownRange } from '../costs/cost-range.js'
import { costFigures, picoUsdOf } from '../costs/cost-response.js'
import { inSnapshot, readSummaryState, sumCosts } from '../costs/cost-sums.js'
import { errors, Shared } from '../schemas/common.js'
import { rangeParameters, WhatIfSchema } from '../schemas/costs.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const DEFAULT_MODELS = ['gpt-5.6', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-4.1', 'gpt-4o-mini']
const MAX_MODELS = 50

const model = Type.String({ minLength: 1, maxLength: 256, examples: ['gpt-4o-mini'] })

const query = Type.Object({
  prompt_type: Type.Optional(
    Type.String({
      description: 'Of this prompt type alone; without it, of all traffic', examples: ['generate_image_metadata']
    })
  ),
  model: Type.Optional(Type.Array(model, {
    minItems: 1, maxItems: MAX_MODELS, description: `Once for each model; without it: ${DEFAULT_MODELS.join(', ')}`
  })),
  ...rangeParameters
}, { additionalProperties: false })

export function whatIfRoutes (app: AdminApp, { database, provider, now }: RouteDependencies): void {
  app.addSchema(WhatIfSchema)
  app.get('/costs/what-if', {
    schema: {
      operationId: 'getWhatIf',
      tags: ['Costs'],
      summary: 'Price the tokens on other models',
      description: "What the period's tokens would cost on other models: the same counts, the same share of cached input, prices as of now " +
        '(an operator\'s own where there is one) at the standard tier, long contexts by the average length of a call. Another model would count and ' +
        'write somewhat other tokens. Audio and image tokens, which the sums do not distinguish, are priced as text, and tokens of calls without a cost count too.',
      querystring: query,
      response: { 200: Shared('WhatIf', WhatIfSchema), ...errors }
    }
  }, async request => {
    const { prompt_type: promptType, model: models = DEFAULT_MODELS, from, to } = request.query
    const nowMs = now()
    const range = costRange(from, to, nowMs)
    const [sum, prices] = await inSnapshot(database.operator, async snapshot => {
      const [sum] = await sumCosts(snapshot, await readSummaryState(snapshot, range), {
        range, dimension: 'all', interval: 'none', most: 1, ...promptType === undefined ? {} : { promptType }
      })
      return [sum, await readOperatorPrices(snapshot)] as const
    })
    const pricing = createPricing({ provider, prices })
    const actual = costFigures(sum)
    const items = [...new Set(models)].map(model => {
      const { costPicoUsd, costReason } = costOnModel(pricing, model, actual, nowMs)
      if (costPicoUsd === null) return { model, cost: null, cost_reason: costReason, difference: null }
      const difference = picoUsdToNumber(costPicoUsd - picoUsdOf(sum))
      return { model, cost: picoUsdToNumber(costPicoUsd), cost_reason: null, difference }
    })
    return { prompt_type: promptType ?? null, actual, items, ...shownRange(range) }
  })
}
