import { Type } from 'typebox'
import { readOperatorPrices } from '../../db/policy-store.js'
import type { OperatorPrice } from '../../lib/operator-price.js'
import { modelNames } from '../../pricing/model-rates.js'
import { createPricing } from '../../pricing/pricing.js'
import { textUsage } from '../../pricing/token-usage.js'
import { Page, pageParameters, readPageQuery, toPage } from '../keyset-page.js'
import { countUnpricedModels, firstUnpricedCalls, listUnpricedModels } from '../queries/unpriced-models.js'
import { errors, Shared } from '../schemas/common.js'
import { type LaterPrice, UnpricedModelSchema } from '../schemas/prices.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const listQuery = Type.Object(pageParameters, { additionalProperties: false })
const placeSchema = Type.Tuple([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ maxLength: 1000, pattern: '^[^\\u0000]*$' })
])

/** What needs a price of the operator's own, or a repricing. */
export function unpricedModelRoutes (app: AdminApp, { database, provider, now }: RouteDependencies): void {
  app.addSchema(UnpricedModelSchema)
  app.get('/unpriced-models', {
    schema: {
      operationId: 'listUnpricedModels',
      tags: ['Prices'],
      summary: 'List models with calls without a cost',
      description: 'Those with most such calls first, over all time and all prompt types, inactive ones too.',
      querystring: listQuery,
      response: { 200: Page(Shared('UnpricedModel', UnpricedModelSchema)), ...errors }
    }
  }, async request => {
    const { limit, after } = readPageQuery(placeSchema, request.query)
    const page = await listUnpricedModels(database.operator, limit, after)
    const total = await countUnpricedModels(database.operator)
    const prices = await readOperatorPrices(database.operator)
    const pricing = createPricing({ provider, prices })
    const hasPrice = (model: string, atMs: number): boolean => pricing.price({
      responseModel: model, requestModel: null, serviceTier: null, usage: textUsage(0, 0), atMs
    }).costPicoUsd !== null
    const firstCalls = await firstUnpricedCalls(database.operator, page.items)
    const items = page.items.map(item => {
      const firstCallAt = firstCalls.get(item.model) ?? null
      const firstMs = Date.parse(firstCallAt ?? item.since)
      return {
        ...item,
        first_call_at: firstCallAt,
        later_price: hasPrice(item.model, firstMs) ? null : priceAfter(prices, item.model, firstMs),
        has_price: hasPrice(item.model, now())
      }
    })
    return toPage({ items, next: page.next }, total)
  })
}

/** The first price of an operator's own that the model comes to have after that moment. */
function priceAfter (prices: readonly OperatorPrice[], model: string, ms: number): LaterPrice | null {
  const names = modelNames(model)
  const later = prices.filter(price => names.includes(price.model) && price.effectiveFromMs > ms)
    .sort((a, b) => a.effectiveFromMs - b.effectiveFromMs)[0]
  return later === undefined
    ? null
    : { model: later.model, effective_from: new Date(later.effectiveFromMs).toISOString() }
}
