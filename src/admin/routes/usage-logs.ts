import { Type } from 'typebox'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { usageLogNotFound } from '../errors.js'
import { countUsageLogs, findUsageLog, listUsageLogs } from '../queries/usage-logs.js'
import { errors, InstantText, Page, pageQuery, Shared } from '../schemas/common.js'
import { UsageLogSchema, UsageLogSummarySchema } from '../schemas/usage-log.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'
import { Id, isUuid } from './ids.js'

/** Counting more rows than this would make the first page of a big log slow, and tell nobody anything. */
const COUNT_CEILING = 100_000

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

const listQuery = Type.Object({ ...usageLogFilter, ...pageQuery }, { additionalProperties: false })

/** A moment in microseconds, an id, and the total as the first page counted it: later pages need not count again. */
const placeSchema = Type.Tuple([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ format: 'uuid' }),
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
    const { limit = 50, cursor, ...filter } = request.query
    const place = decodeCursor(placeSchema, cursor)
    const after = place === null ? null : { createdAtUs: place[0], id: place[1] }
    const { items, next } = await listUsageLogs(database.operator, filter, limit, after)
    const { total, isExact } = place === null
      ? await countUsageLogs(database.operator, filter, COUNT_CEILING)
      : { total: place[2], isExact: place[3] }
    return {
      items,
      total,
      ...isExact ? {} : { total_is_exact: false as const },
      next_cursor: next === null ? null : encodeCursor([next.createdAtUs, next.id, total, isExact])
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
