import t from 'tap'
import { Value } from 'typebox/value'
import type { TSchema } from 'typebox'
import { openTestDatabase } from '../helpers/database.js'
import { startAdmin } from './start-admin.js'

interface Media { schema: Schema, example?: unknown }
type Schema = TSchema & { $ref?: string, examples?: unknown[] }
interface Operation {
  operationId: string
  summary: string
  description: string
  parameters?: { name: string, in: string, schema: Schema, example?: unknown }[]
  requestBody?: { content: { 'application/json': Media } }
  responses: Record<string, { description: string, content?: { 'application/json': Media } }>
}
interface Document {
  openapi: string
  info: { version: string }
  security: unknown[]
  components: { schemas: Record<string, Schema>, securitySchemes: Record<string, unknown> }
  paths: Record<string, Record<string, Operation>>
}

const database = await openTestDatabase(t, 'postgres')
const admin = await startAdmin(t, database)
const document = (await admin.call('GET', '/admin/api/openapi.json')).body as Document
const { schemas } = document.components
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })))

/** Every object inside a value, itself included. */
function objectsIn (value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return []
  return [...Array.isArray(value) ? [] : [value as Record<string, unknown>], ...Object.values(value).flatMap(objectsIn)]
}

/** The schema that a reference names, or the schema itself. */
function resolve (schema: Schema): Schema {
  const target = schema.$ref === undefined ? schema : schemas[schema.$ref.replace('#/components/schemas/', '')]
  if (target === undefined) throw new Error(`${schema.$ref ?? ''} leads nowhere`)
  return target
}

t.test('the document is OpenAPI 3.1 of this version, behind basic auth', t => {
  t.equal(document.openapi, '3.1.0')
  t.equal(document.info.version, '1.2.3')
  t.strictSame(document.security, [{ basic: [] }])
  t.match(document.components.securitySchemes, { basic: { type: 'http', scheme: 'basic' } })
  t.end()
})

t.test('every route under /admin/api is in it, and nothing else', t => {
  const described = operations.map(({ path, method }) => `${method} ${path}`)
  t.strictSame(described.sort(), [
    'DELETE /admin/api/keys/{id}',
    'DELETE /admin/api/prompt-configs/{prompt_type}',
    'GET /admin/api/keys',
    'GET /admin/api/openapi.json',
    'GET /admin/api/prompt-configs',
    'GET /admin/api/prompt-configs/{prompt_type}',
    'GET /admin/api/settings',
    'GET /admin/api/usage-logs',
    'GET /admin/api/usage-logs/{id}',
    'PATCH /admin/api/keys/{id}',
    'PATCH /admin/api/prompt-configs/{prompt_type}',
    'PATCH /admin/api/settings',
    'POST /admin/api/keys',
    'POST /admin/api/prompt-configs'
  ])
  for (const { path, method } of operations) {
    t.ok(admin.app.hasRoute({ method, url: path.replace(/\{(\w+)\}/g, ':$1') }), `${method} ${path}`)
  }
  t.equal(admin.app.printRoutes({ commonPrefix: false }).match(/\b(GET|POST|PATCH|PUT|DELETE)\b/g)?.length,
    described.length + ['/admin', '/admin/', 'docs', 'docs/', 'index.html', 'initializer', 'files', 'json', 'yaml'].length)
  t.end()
})

t.test('every operation says what it does, with an example, and how it fails', t => {
  t.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length)
  for (const { path, method, operation } of operations) {
    const name = `${method} ${path}`
    t.ok(operation.summary && operation.description, name)
    const inPath = operation.parameters?.filter(parameter => parameter.in === 'path').map(parameter => parameter.name) ?? []
    t.strictSame(inPath, [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1]))
    for (const status of ['4XX', '5XX']) {
      t.equal(operation.responses[status]?.content?.['application/json'].schema.$ref, '#/components/schemas/Error')
    }
    const referred = objectsIn(operation).flatMap(object => typeof object['$ref'] === 'string' ? [resolve(object as Schema)] : [])
      .filter(schema => schema !== schemas['Error'])
    t.ok([operation, ...referred].flatMap(objectsIn).some(object => 'example' in object || 'examples' in object), `${name} has an example`)
  }
  t.end()
})

t.test('every reference leads somewhere', t => {
  const references = objectsIn(document).flatMap(object => typeof object['$ref'] === 'string' ? [object as Schema] : [])
  t.ok(references.length > 20)
  for (const reference of references) t.ok(resolve(reference))
  t.end()
})

t.test('every example fits its schema', t => {
  let examples = 0
  for (const object of objectsIn(document)) {
    const inSchema = Array.isArray(object['examples']) ? object['examples'].map((example: unknown) => [object as Schema, example] as const) : []
    const inMedia = 'example' in object ? [[object['schema'] as Schema, object['example']] as const] : []
    for (const [schema, example] of [...inSchema, ...inMedia]) {
      examples++
      t.strictSame(Value.Errors(resolve(schema), example), [], JSON.stringify(example).slice(0, 60))
      const properties = 'properties' in schema ? Object.keys(schema.properties as object) : []
      if (properties.length > 0) t.strictSame(Object.keys(example as object).filter(name => !properties.includes(name)), [], 'no other fields')
    }
  }
  t.ok(examples >= 14, String(examples))
  t.end()
})
