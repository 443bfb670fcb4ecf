import { Type } from 'typebox'
import { usageLogNotFound } from '../errors.js'
import { COUNT_CEILING, Page, pageParameters, readPageQuery, toPage } from '../keyset-page.js'
import { newestFirstPlace, type NewestFirstPlace } from '../queries/newest-first.js'
import { countUsageLogs, findUsageLog, listUsageLogs } from '../queries/usage-logs.js'
import { errors, InstantText, Shared } from '../schemas/common.js'
import { UsageLogSchema, UsageLogSummarySchema } from '../schemas/usage-log.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'
import { Id, isUuid } from './ids.js'

const tags = ['Usage logs']
const params = Type.Object({ id: Id('usage log', '019aae3f-9c4e-7cc3-98c4-dc0c0c07398f') })

/** The filters of the list and of the export. */
export const usageLogFilter = {
  prompt_type: Type.Optional(Type.String()),
  model: Type.Optional(Type.String({ description: "The response's model or the request's" })),
  user: Type.Optional(Type.String()),
  key_id: Type.Optional(Type.String({ format: 'uuid', description: "A gateway key's id" })),
  success: Type.Optional(Type.Boolean()),
  status_code: Type.Optional(Type.Integer({ minimum: 100, maximum: 999 })),
  unpriced: Type.Optional(
    Type.Boolean({ description: 'Whether the call should have a cost but has none, as unpriced_calls counts them' })
  ),
  upstream_request_id: Type.Optional(Type.String({ description: "OpenAI's x-request-id" })),
  from: Type.Optional(InstantText('Finished at this time or later')),
  to: Type.Optional(InstantText('Finished before this time'))
}

const listQuery = Type.Object({ ...usageLogFilter, ...pageParameters }, { additionalProperties: false })

/** After the place the total as the first page counted it: later pages need not count again. */
const countedPlace = Type.Tuple([
  ...newestFirstPlace.items,
  Type.Integer({ minimum: 0, maximum: COUNT_CEILING }),
  Type.Boolean()
])

const UsageLogPageSchema = Type.Object({
  ...Page(
    Shared('UsageLogSummary', UsageLogSummarySchema), 'How many rows match the filters, as counted for the first page'
  ).properties,
  total_is_exact: Type.Optional(
    Type.Literal(false, {
      description: `There are \`total\` rows or more: counting ends at ${COUNT_CEILING}, and after a quarter of a second`
    })
  )
}, { description: 'One page of the list' })

export function usageLogRoutes (app: AdminApp, dependencies: RouteDependencies): void {
  app.addSchema(UsageLogSchema)
  app.addSchema(UsageLogSummarySchema)
  listRoute(app, dependencies)
  readRoute(app, dependencies)
}

function listRoute (app: AdminApp, { database }: RouteDependencies): void {
  app.get('/usage-logs', {
    schema: {
      operationId: 'listUsageLogs',
      tags,
      summary: 'List usage logs',
      description: 'Calls, newest first, without `prompt` and `response`. Calls that finish while you page come before the first page, ' +
        'and shift no later one. The filters `model`, `user`, `key_id` and `status_code` search the newest rows first. If a search takes longer than ' +
        'half a second, the page has the rows found until then, maybe none, and its `next_cursor` continues from there.',
      querystring: listQuery,
      response: { 200: UsageLogPageSchema, ...errors }
    }
  }, async request => {
    const { limit, after, filter } = readPageQuery(countedPlace, request.query)
    const place: NewestFirstPlace | null = after === null ? null : [after[0], after[1]]
    const { items, next } = await listUsageLogs(database.operator, filter, limit, place)
    const { total, isExact } = after === null
      ? await countUsageLogs(database.operator, filter, COUNT_CEILING)
      : { total: after[2], isExact: after[3] }
    return {
      ...toPage({ items, next: next === null ? null : [...next, total, isExact] }, total),
      ...isExact ? {} : { total_is_exact: false as const }
    }
  })
}

function readRoute (app: AdminApp, { database }: RouteDependencies): void {
  app.get('/usage-logs/:id', {
    schema: {
      operationId: 'getUsageLog',
      tags,
      summary: 'Read a usage log',
      description: 'One call, with `prompt` and `response` where full data was stored.',
      params,
      response: { 200: Shared('UsageLog', UsageLogSchema), ...errors }
    }
  }, async request => {
    const { id } = request.params
    const log = isUuid(id) ? await findUsageLog(database.operator, id) : null
    if (log === null) throw usageLogNotFound(id)
    return log
  })
}
