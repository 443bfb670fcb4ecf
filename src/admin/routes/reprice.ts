import { repricing } from '../errors.js'
import { reprice } from '../queries/reprice.js'
import { errors, Shared } from '../schemas/common.js'
import { RepricedSchema, RepriceFilterSchema } from '../schemas/reprice.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

export function repriceRoutes (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.addSchema(RepricedSchema)
  app.post('/usage-logs/reprice', {
    schema: {
      operationId: 'reprice',
      tags: ['Usage logs'],
      summary: 'Compute costs again',
      description: 'With the prices known now, for each call those of its own time, model and service tier. Usage logs, statistics, sums and budgets ' +
        'are corrected in one transaction: all or nothing, and a second run changes nothing. Calls with unknown tokens stay without a cost, ' +
        'and so do models without a price; with `only_unpriced` false, calls of a model that has lost its price lose their cost. ' +
        'Calls of inactive prompt types have no usage log and retain their cost. 409 `repricing` while another run is in progress.',
      body: RepriceFilterSchema,
      response: { 200: Shared('Repriced', RepricedSchema), ...errors }
    }
  }, async request => {
    const repriced = await reprice(changePolicy, request.body, now())
    if (repriced === null) throw repricing()
    return repriced
  })
}
