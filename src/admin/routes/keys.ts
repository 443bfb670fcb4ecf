import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { invalidField, keyNotFound } from '../errors.js'
import { pageParameters, readPageQuery, toPage } from '../keyset-page.js'
import {
  countGatewayKeys, insertGatewayKey, listGatewayKeys, lockGatewayKey, revokeGatewayKey, updateGatewayKey
} from '../queries/gateway-keys.js'
import { newestFirstPlace } from '../queries/newest-first.js'
import { errors, NoContent, Shared } from '../schemas/common.js'
import {
  CreatedGatewayKeySchema, type GatewayKey, GatewayKeyPageSchema, GatewayKeyPatchSchema, GatewayKeySchema,
  NewGatewayKeySchema
} from '../schemas/gateway-key.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'
import { Id, isUuid } from './ids.js'

const tags = ['Gateway keys']
const params = Type.Object({ id: Id('gateway key', '2f1de5a4-6f0a-4d5e-9a51-8f1f3d2b7c10') })
const listQuery = Type.Object(pageParameters, { additionalProperties: false })

export function keyRoutes (app: AdminApp, dependencies: RouteDependencies): void {
  app.addSchema(GatewayKeySchema)
  app.addSchema(CreatedGatewayKeySchema)
  listRoute(app, dependencies)
  createRoute(app, dependencies)
  changeRoute(app, dependencies)
  revokeRoute(app, dependencies)
}

function listRoute (app: AdminApp, { database, acceptsGatewayKeys }: RouteDependencies): void {
  app.get('/keys', {
    schema: {
      operationId: 'listKeys',
      tags,
      summary: 'List gateway keys',
      description: 'Newest first, without the revoked ones. Only the SHA-256 of a key is stored. ' +
        '`accepted` is false where UPSTREAM_API_KEY is not set: then calls with a gateway key get 401.',
      querystring: listQuery,
      response: { 200: GatewayKeyPageSchema, ...errors }
    }
  }, async request => {
    const { limit, after } = readPageQuery(newestFirstPlace, request.query)
    const page = await listGatewayKeys(database.operator, limit, after)
    return { ...toPage(page, await countGatewayKeys(database.operator)), accepted: acceptsGatewayKeys }
  })
}

function createRoute (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.post('/keys', {
    schema: {
      operationId: 'createKey',
      tags,
      summary: 'Create a gateway key',
      description: 'Callers send the `key` of the answer as `Authorization: Bearer pm_…`. It is shown only once.',
      body: NewGatewayKeySchema,
      response: { 201: Shared('CreatedGatewayKey', CreatedGatewayKeySchema), ...errors }
    }
  }, async (request, reply) => {
    refusePast(request.body.expires_at, now())
    const key = `pm_${randomBytes(32).toString('base64url')}`
    const sha256 = createHash('sha256').update(key).digest('hex')
    const created = await changePolicy(async (transaction, audit) => {
      const created = await insertGatewayKey(transaction, randomUUID(), sha256, request.body)
      await audit({ action: 'key.create', target: created.id, before: null, after: audited(created) })
      return created
    })
    void reply.code(201)
    return { ...created, key }
  })
}

function changeRoute (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.patch('/keys/:id', {
    schema: {
      operationId: 'changeKey',
      tags,
      summary: 'Change a gateway key',
      description: 'Applies to the next call. The key itself stays the same.',
      params,
      body: GatewayKeyPatchSchema,
      response: { 200: Shared('GatewayKey', GatewayKeySchema), ...errors }
    }
  }, async request => {
    const { id } = request.params
    refusePast(request.body.expires_at, now())
    if (!isUuid(id)) throw keyNotFound(id)
    return await changePolicy(async (transaction, audit) => {
      const before = await lockGatewayKey(transaction, id)
      const after = before === null ? null : await updateGatewayKey(transaction, id, request.body)
      if (before === null || after === null) throw keyNotFound(id)
      await audit({ action: 'key.update', target: id, before: audited(before), after: audited(after) })
      return after
    })
  })
}

function revokeRoute (app: AdminApp, { changePolicy }: RouteDependencies): void {
  app.delete('/keys/:id', {
    schema: {
      operationId: 'revokeKey',
      tags,
      summary: 'Revoke a gateway key',
      description: 'Permanently, from the next call on. Usage logs retain its id.',
      params,
      response: { 204: NoContent, ...errors }
    }
  }, async (request, reply) => {
    const { id } = request.params
    if (!isUuid(id)) throw keyNotFound(id)
    await changePolicy(async (transaction, audit) => {
      const before = await lockGatewayKey(transaction, id)
      if (before === null || !await revokeGatewayKey(transaction, id)) throw keyNotFound(id)
      await audit({ action: 'key.revoke', target: id, before: audited(before), after: null })
    })
    void reply.code(204)
  })
}

/** What an operator decides of a key; when it was last used is no change of theirs. */
function audited ({ last_used_at: _at, ...key }: GatewayKey): object {
  return key
}

function refusePast (expiresAt: string | null | undefined, nowMs: number): void {
  if (expiresAt == null || Date.parse(expiresAt) > nowMs) return
  throw invalidField("The field 'expires_at' must be in the future.", 'expires_at')
}
