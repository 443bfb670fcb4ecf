import { Type } from 'typebox'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { countBudgetAlerts, listBudgetAlerts } from '../queries/budget-alerts.js'
import { BudgetAlertSchema } from '../schemas/budget-alert.js'
import { errors, Page, pageQuery, PromptTypeName, Shared } from '../schemas/common.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

/** As for usage logs: beyond it a total is only slow. */
const COUNT_CEILING = 100_000

const listQuery = Type.Object({
  budget_id: Type.Optional(Type.String({ format: 'uuid', examples: ['5b0f6f0e-2d0c-4d62-8a53-0f3c1b3a9c11'] })),
  prompt_type: Type.Optional(PromptTypeName()),
  ...pageQuery
}, { additionalProperties: false })

/** A moment in microseconds, and an id. */
const placeSchema = Type.Tuple([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.String({ format: 'uuid' })
])

export function budgetAlertRoutes (app: AdminApp, { database }: RouteDependencies): void {
  app.get('/budget-alerts', {
    schema: {
      operationId: 'listBudgetAlerts',
      tags: ['Budgets'],
      summary: 'List alerts',
      description: 'Alerts that fired, newest first, and their deliveries: every attempt, what the receiver answered, and when the next one is due.',
      querystring: listQuery,
      response: {
        200: Page(Shared('BudgetAlert', BudgetAlertSchema),
          `How many alerts match the filters. Exact below ${COUNT_CEILING}, which stands for that many or more`),
        ...errors
      }
    }
  }, async request => {
    const { limit = 50, cursor, ...filter } = request.query
    const place = decodeCursor(placeSchema, cursor)
    const after = place === null ? null : { createdAtUs: place[0], id: place[1] }
    const { items, next } = await listBudgetAlerts(database.operator, filter, limit, after)
    return {
      items,
      total: await countBudgetAlerts(database.operator, filter, COUNT_CEILING),
      next_cursor: next === null ? null : encodeCursor([next.createdAtUs, next.id])
    }
  })
}
