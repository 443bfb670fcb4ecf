import { Type } from 'typebox'
import { COUNT_CEILING, Page, pageParameters, readPageQuery, toPage } from '../keyset-page.js'
import { countBudgetAlerts, listBudgetAlerts } from '../queries/budget-alerts.js'
import { newestFirstPlace } from '../queries/newest-first.js'
import { BudgetAlertSchema } from '../schemas/budget-alert.js'
import { errors, PromptTypeName, Shared } from '../schemas/common.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const listQuery = Type.Object({
  budget_id: Type.Optional(Type.String({ format: 'uuid', examples: ['5b0f6f0e-2d0c-4d62-8a53-0f3c1b3a9c11'] })),
  prompt_type: Type.Optional(PromptTypeName()),
  ...pageParameters
}, { additionalProperties: false })

export function budgetAlertRoutes (app: AdminApp, { database }: RouteDependencies): void {
  app.addSchema(BudgetAlertSchema)
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
    const { limit, after, filter } = readPageQuery(newestFirstPlace, request.query)
    const page = await listBudgetAlerts(database.operator, filter, limit, after)
    return toPage(page, await countBudgetAlerts(database.operator, filter, COUNT_CEILING))
  })
}
