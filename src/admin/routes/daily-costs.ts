import { Type } from 'typebox'
import { DAY_MS, costRange, startOf } from '../costs/cost-range.js'
import { inSnapshot, readSummaryState, sumCosts } from '../costs/cost-sums.js'
import { cursorOf } from '../keyset-page.js'
import { promptConfigListQuery, readListQuery } from '../prompt-config-list.js'
import { listPromptConfigs } from '../queries/prompt-configs.js'
import { errors, Shared } from '../schemas/common.js'
import { DailyCostsSchema } from '../schemas/costs.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const MAX_DAYS = 92

const query = Type.Object({
  ...promptConfigListQuery.properties,
  days: Type.Optional(
    Type.Integer({
      minimum: 1, maximum: MAX_DAYS, default: 14, description: 'How many UTC days; the last of them is today'
    })
  )
}, { additionalProperties: false })

/**
 * The lines beside a list's rows, in one request: by its filters and page, for a URL does not hold hundreds of names.
 */
export function dailyCostRoutes (app: AdminApp, { database, now }: RouteDependencies): void {
  app.addSchema(DailyCostsSchema)
  app.get('/costs/daily', {
    schema: {
      operationId: 'getDailyCosts',
      tags: ['Costs'],
      summary: 'Costs a day of many prompt types',
      description: 'Takes the filters, `sort`, `limit` and `cursor` of the list of prompt configs, and answers for the prompt types that this page of the list has.',
      querystring: query,
      response: { 200: Shared('DailyCosts', DailyCostsSchema), ...errors }
    }
  }, async request => {
    const { days: dayCount = 14, ...list } = request.query
    const { sort, limit, after, filter } = readListQuery(list)
    const nowMs = now()
    const { items, next } = await listPromptConfigs(database.operator, filter, sort, limit, after, nowMs)
    const firstMs = startOf('day', nowMs) - (dayCount - 1) * DAY_MS
    const days = Array.from({ length: dayCount }, (_, day) => firstMs + day * DAY_MS)
    const groups = items.map(({ prompt_type: promptType }) => promptType)
    const range = costRange(new Date(firstMs).toISOString(), undefined, nowMs)
    const sums = groups.length === 0
      ? []
      : await inSnapshot(database.operator, async snapshot =>
        await sumCosts(snapshot, await readSummaryState(snapshot, range), {
          range, dimension: 'prompt_type', interval: 'day', groups, most: groups.length * dayCount
        }))
    const costs = new Map(groups.map(group => [group, days.map(() => 0)]))
    for (const { group, bucketMs, costUsd } of sums) {
      costs.get(group)?.splice(
        days.indexOf(bucketMs ?? NaN), 1, Number(costUsd)
      )
    }
    return {
      items: [...costs].map(([promptType, costs]) => ({ prompt_type: promptType, costs })),
      days: days.map(dayMs => new Date(dayMs).toISOString()),
      next_cursor: cursorOf(next)
    }
  })
}
