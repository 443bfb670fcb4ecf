import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import type { GatewayError } from '../errors.js'
import { invalidField, unknownField } from './errors.js'
import { withoutKeys } from './keys-in-bodies.js'
import { INSTANT_PATTERN } from './schemas/common.js'

/**
 * Checks the parts of a request against their TypeBox schemas. A body is taken as it came: nothing is converted or
 * dropped. A query string is text, so its numbers and booleans are parsed, but only from exact text: `limit=1.5` is no
 * integer, `is_active=yes` no boolean.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  const properties = 'properties' in schema ? schema.properties as Record<string, TSchema> : {}
  const what = httpPart === 'querystring' ? 'query parameter' : 'field'
  return (input: unknown) => {
    const value = httpPart === 'querystring' ? readQuery(properties, input) : input
    if (!validator.Check(value)) return { error: explain(validator.Errors(value), what, Object.keys(properties)) }
    const nul = fieldWithNul(value)
    if (nul !== null) return { error: invalidField(`'${nul}' must not contain a NUL character.`, nul) }
    return httpPart === 'body' ? withoutKeys(value) : { value }
  }
}

/** The first text that has a NUL, as `filter.search` or `names.0`: no text in PostgreSQL can have one. */
function fieldWithNul (value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null
  for (const [name, inner] of Object.entries(value)) {
    if (typeof inner === 'string' && inner.includes('\0')) return name
    const deeper = fieldWithNul(inner)
    if (deeper !== null) return `${name}.${deeper}`
  }
  return null
}

function readQuery (properties: Record<string, TSchema>, query: unknown): unknown {
  return Object.fromEntries(Object.entries(query as Record<string, unknown>).map(([name, text]) => {
    const schema = properties[name]
    const type = schema !== undefined && 'type' in schema ? schema.type : undefined
    if (type === 'integer' && typeof text === 'string' && /^-?\d{1,15}$/.test(text)) return [name, Number(text)]
    if (type === 'array' && typeof text === 'string') return [name, [text]]
    if (type === 'boolean' && (text === 'true' || text === 'false')) return [name, text === 'true']
    return [name, text]
  }))
}

function explain (errors: TLocalizedValidationError[], what: string, known: string[]): GatewayError {
  const unknown = errors.find(error => error.keyword === 'additionalProperties')
  if (unknown?.keyword === 'additionalProperties') {
    const name = unknown.params.additionalProperties[0] ?? ''
    return unknownField(`Unknown ${what} '${name}'. Known are: ${known.join(', ') || 'none'}.`, name)
  }
  const error = errors[0]
  if (error?.keyword === 'required') {
    const name = error.params.requiredProperties[0] ?? ''
    return invalidField(`The ${what} '${name}' is required.`, name)
  }
  if (error === undefined || error.instancePath === '') {
    const rule = error?.keyword === 'minProperties' ? 'have at least one of' : 'be a JSON object with the fields'
    return invalidField(`The body must ${rule}: ${known.join(', ')}.`, null)
  }
  const field = error.instancePath.slice(1).replaceAll('/', '.')
  return invalidField(`The ${what} '${field}' ${rule(error)}.`, field)
}

function rule (error: TLocalizedValidationError): string {
  switch (error.keyword) {
    case 'enum': return `must be one of: ${error.params.allowedValues.join(', ')}`
    case 'pattern': return error.params.pattern === INSTANT_PATTERN ? dateTimeRule : error.message
    case 'format': return error.params.format === 'date-time' ? dateTimeRule : error.message
    default: return error.message
  }
}

const dateTimeRule =
  'must be an RFC 3339 date and time, like 2026-11-22T00:00:00Z (a + in a query string is written %2B)'
