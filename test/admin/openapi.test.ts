import t from 'tap'
import { Value } from 'typebox/value'
import type { TSchema } from 'typebox'
import { openTestDatabase } from '../helpers/database.js'
import { routesOf } from './app-routes.js'
import { startAdmin } from './start-admin.js'

interface Media { schema: Schema, example?: unknown, examples?: Record<string, { value: unknown }> }
interface Content { content?: Record<string, Media> }
type Schema = TSchema & { $ref?: string, examples?: unknown[] }
interface Operation {
  operationId: string
  summary: string
  description: string
  parameters?: { name: string, in: string, schema: Schema, example?: unknown }[]
  tags: string[]
  requestBody?: Content
  responses: Record<string, Content>
}
interface Document {
  openapi: string
  info: { version: string }
  security: unknown[]
  tags: { name: string }[]
  components: { schemas: Record<string, Schema>, securitySchemes: Record<string, unknown> }
  paths: Record<string, Record<string, Operation>>
}

const database = await openTestDatabase(t, 'postgres')
const admin = await startAdmin(t, database)
const document = (await admin.call('GET', '/admin/api/openapi.json')).body as Document
const { schemas } = document.components
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })))

/**
 * Where an example is not what its schema says; a field that the schema does not name is a misfit too, unless it may be
 * any.
 */
function misfits (schema: Schema, example: unknown): unknown[] {
  return Value.Errors(closed(schema) as TSchema, example)
}

/** The schema with every reference resolved, and with no fields but its own. */
function closed (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const { $ref: _ref, ...schema } = resolve(value) as unknown as Record<string, unknown>
  const inner = Object.fromEntries(
    Object.entries(schema).map(([name, part]) => [name, name.startsWith('example') ? part : closed(part)])
  )
  return 'properties' in inner ? { additionalProperties: false, ...inner } : inner
}

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
  const registered = routesOf(admin.app.printRoutes({ commonPrefix: false }))
    .filter(({ path }) => path.startsWith('/admin/api/'))
    .flatMap(({ path, methods }) =>
      methods.filter(method => method !== 'HEAD').map(method => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`))
  t.strictSame(described.sort(), registered.sort())
  t.ok(described.includes('PATCH /admin/api/prompt-configs/{prompt_type}'))
  t.end()
})

t.test('every route of the contract is in it', t => {
  const contract = [
    'GET POST /prompt-configs', 'GET PATCH DELETE /prompt-configs/{prompt_type}', 'POST /prompt-configs/{prompt_type}/unblock',
    'POST /prompt-configs/bulk', 'GET /prompt-configs/export', 'GET /usage-logs', 'GET /usage-logs/{id}', 'GET /usage-logs/export',
    'POST /usage-logs/reprice', 'GET /costs', 'GET /costs/what-if', 'GET POST /budgets', 'GET PATCH DELETE /budgets/{id}', 'GET /budget-alerts',
    'GET POST /keys', 'PATCH DELETE /keys/{id}', 'GET /prices', 'GET PUT DELETE /prices/{model}', 'GET /audit-log', 'GET PATCH /settings'
  ]
  for (const line of contract) {
    const [path = '', ...methods] = line.split(' ').toReversed()
    const { [`/admin/api${path}`]: described = {} } = document.paths
    t.strictSame(methods.filter(method => !(method.toLowerCase() in described)), [], line)
  }
  t.end()
})

t.test('every operation says what it does, and how it fails', t => {
  t.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length)
  for (const { path, method, operation } of operations) {
    const name = `${method} ${path}`
    for (const text of [operation.operationId, operation.summary, operation.description]) t.match(text, /\S/, name)
    t.ok(operation.tags.length > 0 &&
      operation.tags.every(tag =>
        document.tags.some(({ name }) => name === tag)), `${name} has tags that are described`)
    const inPath = operation.parameters?.filter(parameter => parameter.in === 'path')
      .map(parameter => parameter.name) ?? []
    t.strictSame(inPath, [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1]))
    for (const status of ['4XX', '5XX']) {
      t.equal(operation.responses[status]?.content?.['application/json']?.schema.$ref, '#/components/schemas/Error')
    }
  }
  t.end()
})

t.test('every JSON body that is asked for or answered has an example that fits its schema', t => {
  for (const { path, method, operation } of operations) {
    const bodies = Object.entries({ body: operation.requestBody ?? {}, ...operation.responses })
      .flatMap(([what, { content = {} }]) =>
        Object.entries(content).map(([type, media]) => ({ name: `${method} ${path} ${what} ${type}`, type, media })))
    t.ok(bodies.length >= 2)
    for (const { name, media } of bodies.filter(({ type }) => type === 'application/json')) {
      const examples = media.examples === undefined
        ? [media.example]
        : Object.values(media.examples).map(({ value }) => value)
      t.ok(examples.length > 0, name)
      for (const example of examples) {
        t.not(example, undefined, name)
        t.strictSame(misfits(media.schema, example), [], name)
      }
    }
  }
  t.end()
})

t.test('exports describe each of their forms', t => {
  const typesOf = (path: string) =>
    Object.keys(document.paths[`/admin/api${path}`]?.['get']?.responses['200']?.content ?? {}).sort()
  t.strictSame(typesOf('/prompt-configs/export'), ['application/json', 'text/csv'])
  t.strictSame(typesOf('/usage-logs/export'), ['application/x-ndjson', 'text/csv'])
  t.end()
})

t.test('every reference leads somewhere', t => {
  const references = objectsIn(document).flatMap(object => typeof object['$ref'] === 'string' ? [object as Schema] : [])
  t.ok(references.length > 20)
  for (const reference of references) t.ok(resolve(reference))
  t.end()
})

t.test('every example of a schema or a parameter fits it', t => {
  let examples = 0
  for (const object of objectsIn(document)) {
    const inSchema = Array.isArray(object['examples'])
      ? object['examples'].map((example: unknown) => [object as Schema, example] as const)
      : []
    const inParameter = 'example' in object && 'in' in object
      ? [[object['schema'] as Schema, object['example']] as const]
      : []
    for (const [schema, example] of [...inSchema, ...inParameter]) {
      examples++
      t.strictSame(misfits(schema, example), [], JSON.stringify(example).slice(0, 60))
    }
  }
  t.ok(examples >= 14, String(examples))
  t.end()
})
