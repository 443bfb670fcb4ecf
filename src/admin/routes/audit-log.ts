import { Type } from 'typebox'
import { COUNT_CEILING, Page, pageParameters, readPageQuery, toPage } from '../keyset-page.js'
import { countAuditLog, listAuditLog } from '../queries/audit-log.js'
import { newestFirstPlace } from '../queries/newest-first.js'
import { AuditLogSchema } from '../schemas/audit-log.js'
import { errors, InstantText, Shared } from '../schemas/common.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const listQuery = Type.Object({
  action: Type.Optional(Type.String({ examples: ['prompt_config.update'] })),
  target: Type.Optional(
    Type.String({ description: 'A prompt type, an id, a model', examples: ['generate_image_metadata'] })
  ),
  username: Type.Optional(Type.String()),
  from: Type.Optional(InstantText('Changed at this time or later')),
  to: Type.Optional(InstantText('Changed before this time')),
  ...pageParameters
}, { additionalProperties: false })

export function auditLogRoutes (app: AdminApp, { database }: RouteDependencies): void {
  app.addSchema(AuditLogSchema)
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
    const { limit, after, filter } = readPageQuery(newestFirstPlace, request.query)
    const page = await listAuditLog(database.operator, filter, limit, after)
    return toPage(page, await countAuditLog(database.operator, filter, COUNT_CEILING))
  })
}
