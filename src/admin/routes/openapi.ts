import { OpenapiSchema } from '../openapi.js'
import { errors } from '../schemas/common.js'
import type { AdminApp } from './admin-app.js'

export function openapiRoutes (app: AdminApp): void {
  app.get('/openapi.json', {
    schema: {
      operationId: 'getOpenapi',
      tags: ['OpenAPI'],
      summary: 'This document',
      description: 'OpenAPI 3.1 of every route under /admin/api.',
      response: { 200: OpenapiSchema, ...errors }
    }
  }, () => app.swagger())
}
