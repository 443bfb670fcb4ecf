import { Type } from 'typebox'
import { decodeCursor, encodeCursor } from '../cursor.js'
import { countAuditLog, listAuditLog } from '../queries/audit-log.js'
import { AuditLogSchema } from '../schemas/audit-log.js'
import { errors, InstantText, Page, pageQuery, Shared } from '../schemas/common.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

/** As for usage logs: beyond it a total is only slow. */
const COUNT_CEILING = 100_000

const listQuery = Type.Object({
  action: Type.Optional(Type.String({ examples: ['prompt_config.update'] })),
  target: Type.Optional(
    Type.String({ description: 'A prompt type, an id, a model', examples: ['generate_image_metadata'] })
  ),
  username: Type.Optional(Type.String()),
  from: Type.Optional(InstantText('Changed at this time or later')),
  to: Type.Optional(InstantText('Changed before this time')),
  ...pageQuery
}, { additionalProperties: false })

/** A moment in microseconds, and an id. */
const placeSchema = Type.Tuple([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.String({ format: 'uuid' })
])

export function auditLogRoutes (app: AdminApp, { database }: RouteDependencies): void {
  app.get('/audit-log', {
    schema: {
      operationId: 'listAuditLog',
      tags: ['Audit log'],
      summary: 'List changes',
      description: 'Every change that was made through this API, newest first: who, when, what, before and after. ' +
        'A change that was rejected, or that changed nothing, is not in it; no key ever is.',
      querystring: listQuery,
      response: {
        200: Page(Shared('AuditLog', AuditLogSchema),
          `How many changes match the filters. Exact below ${COUNT_CEILING}, which stands for that many or more`),
        ...errors
      }
    }
  }, async request => {
    const { limit = 50, cursor, ...filter } = request.query
    const place = decodeCursor(placeSchema, cursor)
    const after = place === null ? null : { createdAtUs: place[0], id: place[1] }
    const { items, next } = await listAuditLog(database.operator, filter, limit, after)
    return {
      items,
      total: await countAuditLog(database.operator, filter, COUNT_CEILING),
      next_cursor: next === null ? null : encodeCursor([next.createdAtUs, next.id])
    }
  })
}
