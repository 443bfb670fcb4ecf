import { Type } from 'typebox'
import { readPolicyPrices } from '../../db/policy-store.js'
import { createPricing } from '../../pricing/pricing.js'
import { textUsage } from '../../pricing/token-usage.js'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { listUnpricedModels } from '../queries/unpriced-models.js'
import { errors, Page, pageQuery, Shared } from '../schemas/common.js'
import { UnpricedModelSchema } from '../schemas/prices.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const listQuery = Type.Object(pageQuery, { additionalProperties: false })
const placeSchema = Type.Tuple([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ maxLength: 1000, pattern: '^[^\\u0000]*$' })
])

/** What needs a price of the operator's own, or a repricing. */
export function unpricedModelRoutes (app: AdminApp, { database, provider, now }: RouteDependencies): void {
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
    const { limit = 50, cursor } = request.query
    const place = decodeCursor(placeSchema, cursor)
    const after = place === null ? null : { unpricedCalls: place[0], model: place[1] }
    const { items, total, next } = await listUnpricedModels(database.operator, limit, after)
    const pricing = createPricing({ provider, prices: await readPolicyPrices(database.operator) })
    const hasPrice = (model: string): boolean => pricing.price({
      responseModel: model, requestModel: null, serviceTier: null, usage: textUsage(0, 0), atMs: now()
    }).costPicoUsd !== null
    return {
      items: items.map(item => ({ ...item, has_price: hasPrice(item.model) })),
      total,
      next_cursor: next === null ? null : encodeCursor([next.unpricedCalls, next.model])
    }
  })
}
